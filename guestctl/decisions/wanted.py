"""Is a guest wanted on?  Pure: the ledger's knowledge and what is seen, to a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.guest import GuestFacts, State
from ..model.options import UserAction
from ..model.plan import NextBoot
from ..model.record import GuestRecord, Wanted
from ..model.stop import Certainty, Heard, How, Intent, StoppedBy, Verdict
from .attribution import verdict


@dataclass(frozen=True)
class Desired:
    """Whether a guest is wanted on, who stopped it, and how that is known.

    news: what the ledger does not say yet; it was found just now.
    """

    wanted: Wanted
    stopped_by: StoppedBy | None
    reason: str
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Stop:
    """What there is to judge a stop by, beside facts and ledger.

    heard: None where nobody listened.  intent: what guestctl had begun to do with the guest.
    window, action: the guest's policy of [user-shutdown].
    """

    heard: Heard | None = None
    intent: Intent | None = None
    window: float = 300.0
    action: UserAction = UserAction.KEEP_DOWN


UNWATCHED = Stop()


def desired(
    known: GuestRecord | None, guest: GuestFacts, boot: str, stop: Stop = UNWATCHED
) -> Desired:
    """What holds for a guest now; boot is the id of the current boot of the host."""
    if guest.started:
        return Desired(Wanted.ON, None, "it is running")
    if known is None or known.wanted is None:
        return Desired(Wanted.OFF, StoppedBy.UNKNOWN, "guestctl never saw it running")
    if guest.state is State.UNKNOWN:
        return Desired(known.wanted, known.stopped_by, "its state could not be read")
    if guest.starting:
        return Desired(known.wanted, known.stopped_by, "it is just being started")
    if known.wanted is Wanted.OFF:
        return _turned_off(known, boot)
    if _moved(known, guest, boot):
        return _judged(verdict("migrated", stop.heard), stop)
    if known.taken_down and not _was_somebody_else(known, guest, boot):
        return Desired(Wanted.ON, known.stopped_by, "a run took it down for the host's sake")
    if known.up_boot is None:
        return Desired(Wanted.ON, known.stopped_by, _why_on(known))
    if known.up_boot != boot:
        return _power_went("it was running when the host went down unannounced", How.POWERED_OFF)
    return _judged(verdict(guest.reason, stop.heard, stop.intent, stop.window), stop)


def desired_at_boot(
    known: GuestRecord | None,
    guest: GuestFacts,
    boot: str,
    *,
    autostart: bool,
    action: UserAction = UserAction.KEEP_DOWN,
) -> Desired:
    """What holds at a boot; autostart: whether libvirt's autostart of this guest is left to us.

    The flag is its owner's word as long as nobody turned the guest off, or policy says to ignore
    who did.
    """
    undecided = known is None or known.wanted is None or action is UserAction.IGNORE
    if autostart and guest.autostart and undecided:
        return Desired(Wanted.ON, None, "libvirt's autostart flag is set")
    return desired(known, guest, boot)


def _turned_off(known: GuestRecord, boot: str) -> Desired:
    if known.unsettled not in (None, boot):
        return _power_went("the power went just after it stopped")
    return Desired(Wanted.OFF, known.stopped_by, "it was turned off on purpose")


def _power_went(evidence: str, how: How | None = None) -> Desired:
    found = Verdict(StoppedBy.HOST, how, Certainty.INFERRED, (evidence,))
    return Desired(Wanted.ON, StoppedBy.HOST, evidence, found)


def is_to_be_restarted(known: GuestRecord) -> bool:
    """Whether its user shut it down, and policy is to start it again."""
    return known.wanted is Wanted.ON and known.stopped_by is StoppedBy.USER


def _why_on(known: GuestRecord) -> str:
    if is_to_be_restarted(known):
        return "its user shut it down, and policy is to start it again"
    return "somebody asked for it to be on"


def _moved(known: GuestRecord, guest: GuestFacts, boot: str) -> bool:
    """Whether it was migrated away since a run last saw it, and nobody asked for it here since."""
    return guest.down and guest.reason == "migrated" and (known.taken_down or known.up_boot == boot)


def _was_somebody_else(known: GuestRecord, guest: GuestFacts, boot: str) -> bool:
    """Whether libvirt says of a guest that we were to take down what no step of ours brings about.

    Such as "shutdown" of one that was only being saved: that run lost sight of it, or it was up
    again since, and its user turned it off.
    """
    if not guest.down or known.up_boot != boot:
        return False
    return not Intent(StoppedBy.HOST, known.tried).explains(guest.reason)


def _judged(found: Verdict, stop: Stop) -> Desired:
    """Wanted on, and found down: what comes of that is decided by who stopped it."""
    restarted = found.who is StoppedBy.USER and stop.action is UserAction.RESTART
    on = restarted or found.who in (StoppedBy.CRASH, StoppedBy.HOST)
    return Desired(Wanted.ON if on else Wanted.OFF, found.who, str(found), found)


def hold_of(known: GuestRecord | None, guest: GuestFacts) -> str | None:
    """Why the guest is held, if it is.

    A hold because of its save is over when the guest is up or the save is gone: whoever brought
    that about has decided.
    """
    if known is None or known.hold is None:
        return None
    decided = guest.up or (guest.down and not guest.saved)
    return None if known.held_for_save and decided else known.hold


def next_boot(
    known: GuestRecord | None,
    guest: GuestFacts,
    boot: str,
    *,
    restore: bool,
    saves: bool,
    owned: bool,
    elsewhere: bool = False,
    action: UserAction = UserAction.KEEP_DOWN,
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
    on = desired_at_boot(known, guest, boot, autostart=owned, action=action).wanted is Wanted.ON
    flagged = guest.autostart and (on or not owned)
    if not flagged and not (on and restore):
        return NextBoot.STAY_DOWN
    resumed = saves if guest.up else guest.saved
    return NextBoot.RESUME if resumed else NextBoot.START
