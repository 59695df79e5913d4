"""Is a guest wanted on?  Pure: the ledger's knowledge and what is seen, to a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from .model import GuestFacts, Known, NextBoot, State, Step, StoppedBy, Wanted


@dataclass(frozen=True)
class Wish:
    """Whether a guest is wanted on, who stopped it, and how that is known.

    news: the ledger does not say so yet; it was inferred just now.
    """

    wanted: Wanted
    stopped_by: StoppedBy | None
    reason: str
    news: bool = False


def wish(known: Known | None, guest: GuestFacts, boot: str) -> Wish:
    """What holds for a guest now; boot is the id of the current boot of the host."""
    if guest.started:
        return Wish(Wanted.ON, None, "it is running")
    if known is None or known.wanted is None:
        return Wish(Wanted.OFF, StoppedBy.UNKNOWN, "guestctl never saw it running")
    if guest.state is State.UNKNOWN:
        return Wish(known.wanted, known.stopped_by, "its state could not be read")
    if known.wanted is Wanted.OFF and known.unsettled not in (None, boot):
        return Wish(Wanted.ON, StoppedBy.HOST, "the power went just after it stopped", news=True)
    if known.wanted is Wanted.OFF:
        return Wish(Wanted.OFF, known.stopped_by, "it was turned off on purpose")
    if _moved(known, guest, boot):
        return Wish(Wanted.OFF, StoppedBy.MOVED, "it was migrated away", news=True)
    if known.taken_down and not _was_somebody_else(known, guest, boot):
        return Wish(Wanted.ON, known.stopped_by, "a run took it down for the host's sake")
    return _unwatched_stop(known, guest, boot)


def due(known: Known | None, guest: GuestFacts, boot: str, *, autostart: bool) -> Wish:
    """What holds at a boot; autostart: whether libvirt's autostart of this guest is left to us.

    The flag is its owner's word as long as nobody turned the guest off.
    """
    if autostart and guest.autostart and (known is None or known.wanted is None):
        return Wish(Wanted.ON, None, "libvirt's autostart flag is set")
    return wish(known, guest, boot)


def _moved(known: Known, guest: GuestFacts, boot: str) -> bool:
    """Whether it was migrated away since a run last saw it, and nobody asked for it here since."""
    return guest.down and guest.reason == "migrated" and (known.taken_down or known.up_boot == boot)


#: What libvirt says of a guest that went down by one of our steps, and by nothing else.
_REASON_OF = {Step.SAVE: "saved", Step.SHUTDOWN: "shutdown", Step.POWEROFF: "destroyed"}
_TELLING = frozenset({*_REASON_OF.values(), "from snapshot"})


def _was_somebody_else(known: Known, guest: GuestFacts, boot: str) -> bool:
    """Whether libvirt says of a guest that we were to take down what no step of ours brings about.

    Such as "shutdown" of one that was only being saved: that run lost sight of it, or it was up
    again since, and its user turned it off.  "unknown" tells nothing: libvirtd was restarted.
    """
    if not guest.down or known.up_boot != boot or guest.reason not in _TELLING:
        return False
    return guest.reason not in {_REASON_OF[step] for step in known.tried if step in _REASON_OF}


def _unwatched_stop(known: Known, guest: GuestFacts, boot: str) -> Wish:
    """Wanted on, and found down though no run of ours took it down: who did?

    libvirt remembers the reason of the last stop until its daemon ends.
    """
    if known.up_boot is None:
        return Wish(Wanted.ON, known.stopped_by, "somebody asked for it to be on")
    if known.up_boot != boot:
        reason = "it was running when the host went down unannounced"
        return Wish(Wanted.ON, StoppedBy.HOST, reason, news=True)
    if guest.reason in ("crashed", "failed", "daemon"):
        return Wish(Wanted.ON, StoppedBy.CRASH, f"libvirt says that it {guest.reason}", news=True)
    by = StoppedBy.ADMINISTRATOR if guest.reason in _BY_ADMINISTRATOR else StoppedBy.UNKNOWN
    reason = f'somebody turned it off since it was last seen on (libvirt says "{guest.reason}")'
    return Wish(Wanted.OFF, by, reason, news=True)


#: Shut-off reasons that only a libvirt client brings about.
_BY_ADMINISTRATOR = ("destroyed", "saved", "from snapshot")


def hold_of(known: Known | None, guest: GuestFacts) -> str | None:
    """Why the guest is held, if it is.

    A hold because of its save is over when the guest is up or the save is gone: whoever brought
    that about has decided.
    """
    if known is None or known.hold is None:
        return None
    decided = guest.up or (guest.down and not guest.saved)
    return None if known.held_for_save and decided else known.hold


def next_boot(
    known: Known | None,
    guest: GuestFacts,
    boot: str,
    *,
    restore: bool,
    saves: bool,
    owned: bool,
    elsewhere: bool = False,
) -> NextBoot:
    """What the next boot of the host does with the guest, were the host to go down now.

    restore and saves: whether policy brings it back, and whether it would be saved.
    owned: whether guestctl does what libvirt's autostart would do.
    elsewhere: whether another program starts it.
    """
    if not guest.persistent:
        return NextBoot.STAY_DOWN
    if hold_of(known, guest) is not None:
        return NextBoot.HELD
    if elsewhere and (owned or not guest.autostart):
        return NextBoot.STAY_DOWN
    on = due(known, guest, boot, autostart=owned).wanted is Wanted.ON
    flagged = guest.autostart and (on or not owned)
    if not flagged and not (on and restore):
        return NextBoot.STAY_DOWN
    resumed = saves if guest.up else guest.saved
    return NextBoot.RESUME if resumed else NextBoot.START
