"""What guestctl knows of a guest, and every change of that.  Pure.

The state of a guest is in eight parts, drawn in docs/dev/guest-record.md:

wanted      should it run; None while nothing was decided
stopped by  who brought about that it is off, how, when, how sure that is
taken down  a run owes it a start: it went down for the host's sake
settling    it was turned off in this boot, and a host that goes down soon would explain that
waited for  what it needs was not there when it was to be brought back: it is tried again, and given
            up after a while
unready     it is up, and what shows that it is ready does not hold yet
shed        a run took it down while its host stays up: it stays down until somebody says `resume`
held        it is never started, until a person decides (or its save is gone)

Beside them: libvirt's autostart flag as it was last seen, and what was last said by changing it.

Each function below is one arrow of the drawing; nothing else makes a record another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from .guest import GuestId
from .history import Attempt
from .instant import Instant
from .stop import Certainty, How, StoppedBy, Verdict


class Wanted(StrEnum):
    """Whether a guest should be running, all else being well."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True)
class GuestRecord:
    """What the ledger says of one guest.

    wanted is None while nothing was decided.  up_boot is the boot during which it was last
    seen up; None once a run has seen it down, or somebody has decided.
    taken_down: a run took it down for the host's sake, and owes it a start.
    held_for_save: guestctl itself holds it, because of its managed save.
    settling: the boot in which it was turned off, as long as a host that goes down would make
    that the host's doing ([shutdown] settle).
    as_of: the boot to which that belongs: it was seen up in it, stopped in it, or a person spoke.
    What libvirt says of a stop in a later boot is newer.
    flag: libvirt's autostart flag as last seen; None while it was not.  flag_word: to what it was
    changed since the guest was last started or stopped, or a person spoke: a newer word.
    unready: why it was not ready in time in this life of it; empty text is never kept.
    up_since: when it was first seen up since it was last seen down, in nanoseconds since the
    epoch.
    how, certainty: of its stop, as far as that is known; stopped_at, stopped_boot, stopped_up: when
    that was, see Instant.
    waits_for: why the boot waits_in could not bring it up so far: see `waiting`.  waits_since: when
    a start of it failed first in that boot, see Instant.awake; None while none was tried, for want
    of others.  given_up: it was tried for as long as [boot] start-retry says.
    shed: why it is shed, and since which boot (shed_boot); see `still_shed`.
    attempts: steps that runs have begun with it in the boot it was read for, oldest first; runs
    write them, see ledger/runs.py.
    """

    id: GuestId
    name: str
    wanted: Wanted | None = None
    stopped_by: StoppedBy | None = None
    stopped_at: int | None = None
    stopped_boot: str | None = None
    stopped_up: int | None = None
    how: How | None = None
    certainty: Certainty | None = None
    up_boot: str | None = None
    taken_down: bool = False
    hold: str | None = None
    held_for_save: bool = False
    settling: str | None = None
    as_of: str | None = None
    flag: bool | None = None
    flag_word: bool | None = None
    waits_for: str | None = None
    waits_in: str | None = None
    up_since: int | None = None
    unready: str | None = None
    waits_since: int | None = None
    given_up: bool = False
    shed: str | None = None
    shed_boot: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def followed_in(self) -> str | None:
        """The boot in which it was last seen up, or turned off and not settled."""
        return self.up_boot or self.settling

    def waiting(self, boot: str) -> str | None:
        """Why this boot has not brought it up so far, where it is still to; None where not."""
        wanted = self.wanted is Wanted.ON and self.flag_word is not False
        return self.waits_for if wanted and self.hold is None and self.waits_in == boot else None

    def unready_in(self, boot: str) -> str | None:
        """Why it is not ready, if it is as it was seen last: up in this boot; None where it is."""
        return self.unready if self.up_boot == boot else None

    def still_shed(self, boot: str) -> str | None:
        """Why it is shed, as long as this boot goes on; None where it is not."""
        is_on = self.wanted is Wanted.ON
        return self.shed if is_on and self.shed_boot == boot else None


Change = Callable[[GuestRecord], GuestRecord]


def seen_up(record: GuestRecord, boot: str, now: int | None = None) -> GuestRecord:
    """It is up now: it is wanted on, and nobody stopped it.

    What was done to its flag before it was started is not the newest word any more.
    """
    same_life = record.wanted is Wanted.ON and record.up_boot == boot
    word = record.flag_word if same_life else None
    since = record.up_since if same_life else now
    unready = record.unready if same_life else None
    up = replace(undecided(record), wanted=Wanted.ON, up_boot=boot, as_of=boot)
    return replace(up, flag_word=word, up_since=since, unready=unready)


def undecided(record: GuestRecord) -> GuestRecord:
    """The guest is no more: nothing is wanted of it; a hold stays, as does its trail."""
    return replace(
        record,
        wanted=None,
        stopped_by=None,
        stopped_at=None,
        stopped_boot=None,
        stopped_up=None,
        how=None,
        certainty=None,
        up_boot=None,
        taken_down=False,
        settling=None,
        as_of=None,
        flag_word=None,
        waits_for=None,
        waits_in=None,
        up_since=None,
        unready=None,
        waits_since=None,
        given_up=False,
        shed=None,
        shed_boot=None,
    )


def not_ready(record: GuestRecord, reason: str) -> GuestRecord:
    """It is up, and was not ready in time."""
    return replace(record, unready=reason)


def ready(record: GuestRecord) -> GuestRecord:
    """It is up, and ready."""
    return replace(record, unready=None)


def flag_seen(record: GuestRecord, *, flag: bool) -> GuestRecord:
    """libvirt's autostart flag is so now; a change of it is its owner's word."""
    word = record.flag_word if record.flag in (None, flag) else flag
    return replace(record, flag=flag, flag_word=word)


def asked_for(record: GuestRecord, boot: str) -> GuestRecord:
    """Somebody wants it on.  Until it is seen up again, no stop of before speaks against that.

    What it waits for, it still does: an order that comes too early does not end that; and one that
    is shed is so until it is up.
    """
    wanted = replace(undecided(record), wanted=Wanted.ON, as_of=boot)
    since, given_up = record.waits_since, record.given_up
    wanted = replace(wanted, waits_since=since, given_up=given_up)
    wanted = replace(wanted, waits_for=record.waits_for, waits_in=record.waits_in)
    return replace(wanted, shed=record.shed, shed_boot=record.shed_boot)


def waits(
    record: GuestRecord, reason: str, now: Instant, *, tried: bool = True, anew: bool = False
) -> GuestRecord:
    """This boot could not bring it up, and will try again, unless somebody turned it off.

    tried: whether a start failed, and it is not others that it waits for.  anew: for how long it
    is tried begins now, and not with the first such start of this boot.
    """
    if record.wanted is Wanted.OFF:
        return record
    goes_on = tried and not anew and record.waits_in == now.boot and record.waits_since is not None
    since = record.waits_since if goes_on else (now.awake if tried else None)
    given_up = record.given_up and goes_on
    after = replace(record, wanted=Wanted.ON, waits_for=reason, waits_in=now.boot)
    return replace(after, waits_since=since, given_up=given_up)


def gives_up(record: GuestRecord) -> GuestRecord:
    """It was tried for long enough: only what may have made a difference has it tried again."""
    return replace(record, given_up=True)


def turned_off(record: GuestRecord, by: StoppedBy, now: Instant) -> GuestRecord:
    """It is wanted off from now on, because of that stop or of that person's word."""
    return replace(
        undecided(record),
        wanted=Wanted.OFF,
        stopped_by=by,
        stopped_at=now.at,
        stopped_boot=now.boot,
        stopped_up=now.up,
    )


def stopped(record: GuestRecord, wanted: Wanted, verdict: Verdict, now: Instant) -> GuestRecord:
    """It was stopped, by whomever; wanted: what comes of that.

    One that did not go down by its user's will, and is wanted on all the same, is owed a start.
    A stop that was nobody's will is no newer word than what was done to its flag in its life.
    One that comes of a run that was to shed it does not end that.
    """
    carried_out = record.taken_down and wanted is Wanted.ON and verdict.who is record.stopped_by
    return replace(
        undecided(record),
        shed=record.shed if carried_out else None,
        shed_boot=record.shed_boot if carried_out else None,
        wanted=wanted,
        stopped_by=verdict.who,
        stopped_at=now.at,
        stopped_boot=now.boot,
        stopped_up=now.up,
        how=verdict.how,
        certainty=verdict.certainty,
        taken_down=wanted is Wanted.ON and verdict.who is not StoppedBy.USER,
        as_of=now.boot,
        flag_word=record.flag_word if wanted is Wanted.ON else None,
    )


def taking_down(record: GuestRecord, now: Instant, by: StoppedBy = StoppedBy.HOST) -> GuestRecord:
    """A run is about to take it down for the host's sake: it owes it a start.

    by: the host, or the operator who has begun before the host did.
    """
    return replace(
        record,
        wanted=Wanted.ON,
        stopped_by=by,
        stopped_at=now.at,
        stopped_boot=now.boot,
        stopped_up=now.up,
        how=None,
        certainty=None,
        taken_down=True,
    )


def shed(record: GuestRecord, reason: str, boot: str) -> GuestRecord:
    """A run takes it down while its host stays up, or found it so: it is not tried any more."""
    record = replace(record, shed=reason, shed_boot=boot)
    return replace(record, waits_for=None, waits_in=None, waits_since=None, given_up=False)


def shed_no_more(record: GuestRecord) -> GuestRecord:
    """Its host went down since: it comes back as anybody."""
    return replace(record, shed=None, shed_boot=None)


def seen_down(record: GuestRecord) -> GuestRecord:
    """The run that was to take it down has seen it down: whatever did it, it is owed a start."""
    return replace(record, up_boot=None, up_since=None, unready=None)


def went_down(record: GuestRecord, verdict: Verdict, now: Instant) -> GuestRecord:
    """In which way a run took it down, as that has seen itself, and when."""
    return replace(
        record,
        stopped_at=now.at,
        stopped_boot=now.boot,
        stopped_up=now.up,
        how=verdict.how,
        certainty=verdict.certainty,
    )


def operators_word(record: GuestRecord) -> GuestRecord:
    """The host's run took down a guest that an operator was just shutting down: it stays off."""
    off = replace(shed_no_more(record), wanted=Wanted.OFF, stopped_by=StoppedBy.OPERATOR)
    return replace(off, taken_down=False, up_boot=None)


def begins_to_settle(record: GuestRecord, boot: str) -> GuestRecord:
    """It was turned off just now, in this boot: the host may be about to go down."""
    return replace(record, settling=boot)


def settled(record: GuestRecord) -> GuestRecord:
    """The host stayed up: whoever turned the guest off meant it."""
    return replace(record, settling=None)


def hosts_doing(record: GuestRecord) -> GuestRecord:
    """The host goes down so soon after its stop that it comes back."""
    return replace(
        record,
        wanted=Wanted.ON,
        stopped_by=StoppedBy.HOST,
        certainty=Certainty.LIKELY,
        taken_down=True,
        up_boot=None,
    )


def somebodys_doing(record: GuestRecord, verdict: Verdict | None) -> GuestRecord:
    """The host stays up after all, and so does the word of whoever stopped the guest.

    verdict: what was said of that stop.
    """
    return replace(
        shed_no_more(record),
        wanted=Wanted.OFF,
        stopped_by=verdict.who if verdict else StoppedBy.UNKNOWN,
        certainty=verdict.certainty if verdict else None,
        taken_down=False,
        up_boot=None,
    )


def held(record: GuestRecord, reason: str, *, for_save: bool = False) -> GuestRecord:
    """It is never started by guestctl, until it is released."""
    return replace(record, hold=reason, held_for_save=for_save)


def released(record: GuestRecord) -> GuestRecord:
    """Its hold is over."""
    return replace(record, hold=None, held_for_save=False)


def released_for_save(record: GuestRecord) -> GuestRecord:
    """A hold that guestctl itself put on it because of its save is over."""
    return released(record) if record.held_for_save else record


def put_back(record: GuestRecord, before: GuestRecord) -> GuestRecord:
    """What was known of it before, where nothing is known to have come of a run; holds stay."""
    return replace(before, name=record.name, hold=record.hold, held_for_save=record.held_for_save)
