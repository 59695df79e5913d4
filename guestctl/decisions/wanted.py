"""Is a guest wanted on?  Pure: what the ledger knows and what is seen, to a verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..model.guest import GuestFacts, State
from ..model.options import UserAction
from ..model.record import GuestRecord, Wanted
from ..model.stop import Certainty, Heard, How, Intent, RivalStop, StoppedBy, Verdict
from ..model.text import argument
from .attempts import for_the_host
from .attribution import CRASHES, Stop, verdict

#: Of a guest whose stop settles ([shutdown] settle).
JUST_TURNED_OFF = "it was turned off just now; if the host goes down soon, it comes back"


@dataclass(frozen=True)
class Desired:
    """Whether a guest is wanted on, who stopped it, and how that is known.

    verdict: of its stop, where the ledger does not say that yet: it was found just now.
    doubt: why it must not be started all the same, until a person says so.
    """

    wanted: Wanted
    stopped_by: StoppedBy | None
    reason: str
    verdict: Verdict | None = None
    doubt: str = ""


@dataclass(frozen=True)
class Watched:
    """What there is to judge a guest's stop by, beside what libvirt says of it and the ledger.

    heard: None where nobody listened.  intent: what guestctl had begun to do with the guest.
    window, action: the guest's policy of [user-shutdown].
    was_started: it came up, and went down before anybody had looked.
    started_as: libvirt's word for how it came up, where that was heard of since.
    as_found: guestctl was switched on later in this boot than the host booted: what is off, as
    far as was known in an earlier boot, is off because somebody wants it so.
    lingers: it has shut itself down a while ago, and its QEMU is still there.
    left_alone: nobody followed the guest any more as the boot ended in which it was last seen up,
    or turned off.
    rival: a stop of libvirt-guests that had the guest on its list, and may be why it is off.
    """

    heard: Heard | None = None
    intent: Intent | None = None
    window: float = 300.0
    action: UserAction = UserAction.KEEP_DOWN
    was_started: bool = False
    started_as: str = ""
    as_found: bool = False
    left_alone: bool = False
    lingers: bool = False
    rival: RivalStop | None = None

    def stop(self, reason: str) -> Stop:
        """The stop of which libvirt gives this reason."""
        return Stop(reason, self.heard, self.intent, self.window, self.rival)


UNWATCHED = Watched()
#: Said of a guest that stays off because of `as_found`.
AS_FOUND = "it was off when guestctl was switched on, after the host had booted without it"
#: Why a guest is held that nobody followed any more when the host went down.
IN_DOUBT = (
    "guestctl had been stopped when the host went down unannounced: the guest may have been turned"
    " off before, or migrated away and run elsewhere; release it once that is known not to be so"
)
#: How a hold begins that a mended definition makes pointless.
NOT_FOR_THIS_HOST = "this host cannot run it as it is defined"
#: libvirt's words that tell nothing of who turned a guest off: it forgets when the host goes down,
#: and a start that failed is not the guest's end.
_TELLS_NOTHING = ("unknown", "failed")
#: Those that tell that nobody took it down.
_CRASHES = tuple(reason for reason in CRASHES if reason not in _TELLS_NOTHING)
NEVER_SEEN = "guestctl never saw it running"


def has_unknown_save(guest: GuestFacts, record: GuestRecord | None) -> bool:
    """Whether it has a managed save, and nothing is known of what was wanted of it."""
    nothing_known = record is None or (record.wanted is None and record.hold is None)
    return guest.down and guest.persistent and guest.saved and nothing_known


def why_unknown_save(guest: GuestFacts) -> str:
    """Why it stays off, and what to do."""
    start = f"guestctl start {argument(guest.name)}"
    return f"it has a managed save, and nothing is known of it: {start} resumes it"


def desired(
    record: GuestRecord | None, guest: GuestFacts, boot: str, watched: Watched = UNWATCHED
) -> Desired:
    """What holds for a guest now; boot is the id of the current boot of the host."""
    if guest.started and not watched.lingers:
        return Desired(Wanted.ON, None, "it is running")
    if found := _by_libvirt_guests(record, guest, boot, watched):
        return _judged(found, watched)
    if record is None or record.wanted is None:
        reason = why_unknown_save(guest) if has_unknown_save(guest, record) else NEVER_SEEN
        return Desired(Wanted.OFF, StoppedBy.UNKNOWN, reason)
    if guest.state is State.UNKNOWN:
        return Desired(record.wanted, record.stopped_by, "its state could not be read")
    if guest.starting:
        return Desired(record.wanted, record.stopped_by, "it is just being started")
    if _is_newer(record, guest, boot):
        return _judged(verdict(watched.stop(guest.reason)), watched)
    if watched.as_found and _is_of_before(record, guest, boot):
        found = Verdict(StoppedBy.UNKNOWN, None, Certainty.INFERRED, (AS_FOUND,))
        return Desired(Wanted.OFF, StoppedBy.UNKNOWN, AS_FOUND, found)
    if record.wanted is Wanted.OFF:
        return _turned_off(record, boot)
    if _moved(record, guest, boot):
        return _judged(verdict(Stop("migrated", watched.heard)), watched)
    others = record.taken_down and _was_not_ours(record, guest, boot)
    if record.taken_down and not others:
        why = _waits(record, boot) or _why_shed(record, boot) or _why_owed(record)
        found = _carried_out(record, guest, boot, watched)
        return Desired(Wanted.ON, record.stopped_by, why, found)
    if record.up_boot is None and not others:
        return Desired(Wanted.ON, record.stopped_by, _waits(record, boot) or _why_on(record))
    if record.up_boot not in (None, boot):
        text = "it was running when the host went down unannounced"
        went = _power_went(text, How.POWERED_OFF)
        return replace(went, doubt=IN_DOUBT) if watched.left_alone else went
    reason = "shutdown" if watched.lingers else guest.reason
    return _judged(verdict(watched.stop(reason)), watched)


def desired_at_boot(
    record: GuestRecord | None,
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
    undecided = record is None or record.wanted is None or action is UserAction.IGNORE
    if autostart and guest.autostart and undecided:
        return Desired(Wanted.ON, None, "libvirt's autostart flag is set")
    return desired(record, guest, boot)


def _turned_off(record: GuestRecord, boot: str) -> Desired:
    if record.settling not in (None, boot):
        return _power_went("the power went just after it stopped")
    if record.settling == boot:
        return Desired(Wanted.OFF, record.stopped_by, JUST_TURNED_OFF)
    if is_left_off(record, boot):
        return Desired(Wanted.OFF, record.stopped_by, "it was found off, and is left so")
    return Desired(Wanted.OFF, record.stopped_by, "it was turned off on purpose")


def is_left_off(record: GuestRecord, boot: str) -> bool:
    """Whether it was found off in this boot, and nothing tells who had turned it off."""
    unknown = record.stopped_by is StoppedBy.UNKNOWN and record.how is None
    inferred = record.certainty is Certainty.INFERRED
    return record.wanted is Wanted.OFF and unknown and inferred and record.as_of == boot


def _is_newer(record: GuestRecord, guest: GuestFacts, boot: str) -> bool:
    """Whether libvirt tells of a stop in this boot, and all that is known is of an earlier one.

    libvirt forgets why a guest is off when the host goes down: it was started since, and stopped.
    One that waits never came up, as far as is known.
    """
    may_be_on = record.wanted is Wanted.ON or record.settling is not None
    of_before = record.as_of not in (None, boot) and not record.attempts
    waited = record.waiting(boot) and not for_the_host(record.attempts).explains(guest.reason)
    tells = guest.down and guest.reason not in _TELLS_NOTHING
    return tells and may_be_on and bool(of_before or waited)


def _is_of_before(record: GuestRecord, guest: GuestFacts, boot: str) -> bool:
    """Whether it is down, and that it is to be on comes from an earlier boot, or is a guess."""
    guessed = record.stopped_by is StoppedBy.HOST and record.certainty is Certainty.INFERRED
    may_be_on = record.wanted is Wanted.ON or record.settling not in (None, boot)
    return guest.down and may_be_on and not record.attempts and (record.as_of != boot or guessed)


def _power_went(evidence: str, how: How | None = None) -> Desired:
    found = Verdict(StoppedBy.HOST, how, Certainty.INFERRED, (evidence,))
    return Desired(Wanted.ON, StoppedBy.HOST, evidence, found)


def is_to_be_restarted(record: GuestRecord) -> bool:
    """Whether its user shut it down, and policy is to start it again."""
    return record.wanted is Wanted.ON and record.stopped_by is StoppedBy.USER


def _waits(record: GuestRecord, boot: str) -> str:
    reason = record.waiting(boot)
    how = "it was given up" if record.given_up else "it is waited for, and tried again"
    return f"{how}: {reason}" if reason else ""


def _why_on(record: GuestRecord) -> str:
    if is_to_be_restarted(record):
        return "its user shut it down, and policy is to start it again"
    return "somebody asked for it to be on"


def _carried_out(
    record: GuestRecord, guest: GuestFacts, boot: str, watched: Watched
) -> Verdict | None:
    """What a run had begun that was cut off, and was then heard to come about."""
    if watched.heard is None or not guest.down or record.up_boot != boot:
        return None
    found = verdict(watched.stop(guest.reason))
    return found if found.who is record.stopped_by else None


def _why_shed(record: GuestRecord, boot: str) -> str:
    reason = record.still_shed(boot)
    return f"it is shed ({reason}): `guestctl resume` brings it back" if reason is not None else ""


def _why_owed(record: GuestRecord) -> str:
    if record.stopped_by is StoppedBy.LIBVIRT_GUESTS:
        return "libvirt-guests took it down as it was stopped, and nobody turned it off"
    return "a run took it down for the host's sake"


def _by_libvirt_guests(
    record: GuestRecord | None, guest: GuestFacts, boot: str, watched: Watched
) -> Verdict | None:
    """That it was taken down by that, where its list is all that is known of it in this boot."""
    if watched.rival is None or not (guest.down and guest.persistent) or _knows(record, boot):
        return None
    found = verdict(watched.stop(guest.reason))
    return found if found.who is StoppedBy.LIBVIRT_GUESTS else None


def _knows(record: GuestRecord | None, boot: str) -> bool:
    """Whether it tells of this boot, and is no guess of a command that looked first."""
    if record is None or record.wanted is None:
        return False
    who, certainty = record.stopped_by, record.certainty
    guessed = who is StoppedBy.UNKNOWN and certainty is Certainty.INFERRED
    return boot in (record.as_of, record.stopped_boot) and not guessed


def _moved(record: GuestRecord, guest: GuestFacts, boot: str) -> bool:
    """Whether it was migrated away since a run last saw it, and nobody asked for it here since."""
    return (
        guest.down and guest.reason == "migrated" and (record.taken_down or record.up_boot == boot)
    )


def _was_not_ours(record: GuestRecord, guest: GuestFacts, boot: str) -> bool:
    """Whether libvirt says of a guest that we were to take down what no step of ours brings about.

    Such as "shutdown" of one that was only being saved: that run lost sight of it, or it was up
    again since, and its user turned it off.  One that is shed is down for long, and a service need
    not be there all the while; it stays shed if QEMU crashed as it went down.
    """
    if not guest.down:
        return False
    begun = for_the_host(record.attempts)
    is_shed, was_up = record.still_shed(boot) is not None, record.up_boot == boot
    if not is_shed and guest.reason in _CRASHES:
        return was_up
    return (was_up or (is_shed and bool(begun.steps))) and not begun.explains(guest.reason)


def _judged(found: Verdict, watched: Watched) -> Desired:
    """Wanted on, and found down: what comes of that is decided by who stopped it."""
    restarted = found.who is StoppedBy.USER and watched.action is UserAction.RESTART
    on = restarted or found.who in (StoppedBy.CRASH, StoppedBy.HOST, StoppedBy.LIBVIRT_GUESTS)
    return Desired(Wanted.ON if on else Wanted.OFF, found.who, str(found), found)


def hold_of(record: GuestRecord | None, guest: GuestFacts) -> str | None:
    """Why the guest is held, if it is.

    A hold because of its save is over when the guest was started or the save is gone: whoever
    brought that about has decided.
    """
    if record is None or record.hold is None:
        return None
    decided = guest.started or (guest.down and not guest.saved)
    return None if record.held_for_save and decided else record.hold
