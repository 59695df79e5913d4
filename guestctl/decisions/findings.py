"""What is wrong with guests now, and was in the newest runs.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum

from ..model.finding import Finding
from ..model.guest import GuestFacts, GuestId, State
from ..model.history import PastGuest, PastRun
from ..model.overview import Row
from ..model.plan import GuestPlan, Outcome, RunKind, is_bad
from ..model.result import Trigger
from ..model.text import argument
from .forecast import without_room
from .host_facts import HostFacts, mistakes_in_metadata, plan_of
from .plan import NOT_LISTED


class Of(StrEnum):
    """The doctor's checks that find the same."""

    HELD = "held"
    NOT_LISTED = "not-listed"
    WAITED_FOR = "waited-for"
    GIVEN_UP = "given-up"
    OFF_BY_LIBVIRT_GUESTS = "off-by-libvirt-guests"
    UNREADY = "unready"
    NO_ROOM = "no-room"
    METADATA = "metadata-mistakes"


#: What went wrong so long ago is history: nanoseconds.
OLD = 7 * 86400 * 10**9


def of_guests(facts: HostFacts, rows: Collection[Row]) -> list[Finding]:
    """Who is held, not up yet, unready, or off by libvirt-guests; who finds no room for a save, if
    the host goes down."""
    for_saves = {record.id for record in facts.records if record.held_for_save}
    found = [finding for row in rows for finding in _of_row(row, for_saves)]
    found += [finding for plan in plan_of(facts).guests for finding in _of_plan(plan)]
    return found + [_of_metadata(*mistake) for mistake in mistakes_in_metadata(facts)]


def _of_metadata(guest: GuestFacts, mistake: str) -> Finding:
    text = f"its metadata have a mistake, which counts as not given: {mistake}"
    command = f"guestctl policy {argument(guest.name)}"
    return Finding(text, command, guest.name, guest.id, Of.METADATA)


def is_amiss(row: Row) -> bool:
    """Whether something is wrong with the guest, room for its save left aside."""
    return any(_of_row(row, ()))


def _of_row(row: Row, held_for_saves: Collection[GuestId]) -> Iterator[Finding]:
    guest, name = row.id, argument(row.name)
    if row.held is not None:
        # What can be done about a save is in the reason: two ways, of which a person chooses one.
        verb = "why" if guest in held_for_saves else "release"
        # That of a person begins with the word.
        text = row.held if row.held.startswith("held ") else f"held: {row.held}"
        yield Finding(text, f"guestctl {verb} {name}", row.name, guest, Of.HELD)
    elif row.reason == NOT_LISTED:
        yield Finding(row.reason, f"guestctl forget {name}", row.name, guest, Of.NOT_LISTED)
    elif row.waiting:
        text = f"waited for: {row.waiting}"
        yield Finding(text, f"guestctl start {name}", row.name, guest, Of.WAITED_FOR)
    elif row.given_up:
        text = f"given up: {row.given_up}"
        yield Finding(text, f"guestctl start {name}", row.name, guest, Of.GIVEN_UP)
    elif row.is_off_by_libvirt_guests:
        text = "off since libvirt-guests was stopped, which took it down"
        yield Finding(text, f"guestctl start {name}", row.name, guest, Of.OFF_BY_LIBVIRT_GUESTS)
    elif row.unready:
        text = f"up but unready: {row.unready}"
        yield Finding(text, f"guestctl why {name}", row.name, guest, Of.UNREADY)


def _of_plan(plan: GuestPlan) -> Iterator[Finding]:
    if reason := without_room(plan):
        text = f"cannot be saved as the host goes down: {reason}"
        yield Finding(text, "guestctl plan", plan.guest.name, plan.guest.id, Of.NO_ROOM)


def of_run(
    run: PastRun, guests: Sequence[PastGuest], rows: Collection[Row], now: int
) -> list[Finding]:
    """What went wrong in the newest run of its kind, which is not under way.

    Of a restore: who is still down, and for no other reason that is shown.  Whom a run was to
    shed, and did not, is up, and the host with it.
    """
    if run.trigger is Trigger.SHED or run.ok or now - run.begun > OLD:
        return []
    bad = [guest for guest in guests if guest.outcome == _CUT_OFF or _is_bad(run, guest)]
    if run.kind is RunKind.RESTORE:
        missing = {
            row.id for row in rows if not (_is_up(row) or row.held or row.waiting or row.given_up)
        }
        bad = [guest for guest in bad if guest.id in missing]
        return [_of_past(run, guest) for guest in bad]
    return [_of_past(run, guest) for guest in bad] or [_of_whole(run)]


_CUT_OFF = "cut off"


def _is_bad(run: PastRun, guest: PastGuest) -> bool:
    try:
        return is_bad(run.kind, Outcome(guest.outcome))
    except ValueError:  # of another version
        return True


def _is_up(row: Row) -> bool:
    return row.state not in (State.SHUT_OFF, State.UNKNOWN)


def _of_past(run: PastRun, guest: PastGuest) -> Finding:
    reason = f": {guest.reason}" if guest.reason else ""
    text = f"{guest.outcome} in run {run.id}, the newest {run.kind}{reason}"
    return Finding(text, f"guestctl why {argument(guest.name)}", guest.name)


def _of_whole(run: PastRun) -> Finding:
    how = "was cut off" if run.ended is None else "did not end well"
    return Finding(f"run {run.id}, the newest {run.kind}, {how}", "guestctl history")
