"""What only reads: guests as `list` shows them, plans, reason trails, past runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from ..decisions.duration import Duration, duration_of
from ..decisions.findings import is_amiss as is_amiss
from ..decisions.host_facts import (
    HostFacts,
    boot_timeline_of,
    plan_of,
    rows_of,
    timeline_of,
    with_deadline,
    with_profile,
)
from ..ledger.ledger import Ledger
from ..ledger.runs import KEPT_RUNS
from ..model.guest import GuestId
from ..model.history import AT_WORK, CUT_OFF, PastGuest, PastRun, PastStep, TrailEntry
from ..model.overview import Row
from ..model.plan import Plan, RunKind
from ..model.record import Wanted
from ..model.timeline import Timeline
from .local import Local
from .requests import (
    Failure,
    Named,
    RequestError,
    find,
    refuse_unknown_profile,
    unreachable,
)

T = TypeVar("T")

Trail = list[tuple[GuestId, TrailEntry]]


class PastRunInFull(NamedTuple):
    """A run, what became of each guest, and every step; under_way: it goes on."""

    run: PastRun
    guests: list[PastGuest]
    steps: list[PastStep]
    under_way: bool = False


def named(rows: Collection[Row], names: Sequence[str]) -> list[Row]:
    """The rows of the guests named, by name, UUID or pattern; all where none is."""
    if not names:
        return list(rows)
    known = [Named(id_of(row), row.name) for row in rows]
    found = find(names, known, patterns=True)
    return [row for row in rows if id_of(row) in found]


def near(name: str, rows: Collection[Row]) -> str | None:
    """The guest that may have been meant."""
    return next(iter(get_close_matches(name, sorted({row.name for row in rows}), 1)), None)


def row_json(row: Row) -> dict[str, Any]:
    """As `list --json` has it."""
    return asdict(row)


def id_of(row: Row) -> GuestId:
    """The guest of a row."""
    return GuestId(row.uri, row.uuid)


def guests(facts: HostFacts) -> tuple[list[Row], Failure | None]:
    """Every guest that is known of; the failure says how incomplete that is."""
    return rows_of(facts), unseen(facts) or incomplete(facts)


def unseen(facts: HostFacts) -> Failure | None:
    """Why nothing is known of what is wanted of the guests, if so."""
    if facts.sees_all or facts.nothing_read:
        return None
    return Failure.NOT_ALL_WELL if facts.may_see else Failure.NOT_PERMITTED


def plan(facts: HostFacts) -> tuple[Plan, Failure | None]:
    """What a preserve would do.  RequestError when no connection could be read."""
    if facts.nothing_read:
        reasons = "\n".join(lost.reason for lost in facts.lost)
        raise RequestError(_unreachable(facts), reasons)
    return plan_of(facts), incomplete(facts)


def under_profile(facts: HostFacts, profile: str | None) -> HostFacts:
    """The same under a profile, as `--profile` says; RequestError where there is none of the name.

    The usual settings where none is named.
    """
    refuse_unknown_profile(facts.config, profile)
    return with_profile(facts, profile)


def within(facts: HostFacts, seconds: float | None) -> HostFacts:
    """The same, where a preserve may take so long in all, as `--within` says."""
    return with_deadline(facts, seconds)


def timeline(facts: HostFacts, guests: Collection[GuestId]) -> Timeline:
    """A preserve of these guests in time."""
    return timeline_of(facts, guests)


def boot_timeline(facts: HostFacts, rows: Collection[Row]) -> Timeline:
    """The next boot in time, of these guests."""
    return boot_timeline_of(facts, rows)


def duration(timeline: Timeline) -> Duration:
    """How long such a run takes."""
    return duration_of(timeline)


def incomplete(facts: HostFacts) -> Failure | None:
    """How incomplete the facts are, for want of connections."""
    if facts.nothing_read:
        return _unreachable(facts)
    return Failure.NOT_ALL_WELL if facts.lost else None


def _unreachable(facts: HostFacts) -> Failure:
    return unreachable(refused=all(lost.refused for lost in facts.lost))


def trail(
    local: Local, name: str, uris: Collection[str] | None, listed: Collection[GuestId]
) -> Trail:
    """What is recorded of guests of this name or UUID, oldest first.

    uris: of guests on these connections alone.  listed: those that libvirt has under that name:
    one whose settings were changed need never have run.
    """

    def read(ledger: Ledger) -> Trail | None:
        known = ledger.known_as(name)
        named = [guest for guest in known if uris is None or guest.uri in uris]
        return ledger.trail.of_all(dict.fromkeys([*named, *listed]))

    return _known(local.ask_ledger(read, None), local)


def history(
    local: Local, count: int, names: Sequence[str] = (), kind: RunKind | None = None
) -> list[PastRunInFull]:
    """The newest runs, newest first.

    names: only those with such guests, by name, UUID or pattern.  kind: only those of it.
    """
    is_held = local.lock.is_held()

    def read(ledger: Ledger) -> list[PastRunInFull] | None:
        runs = ledger.runs.newest(KEPT_RUNS if names or kind else count)
        of_kind = (run for run in runs if kind in (None, run.kind))
        with_guests = ((run, ledger.runs.guests(run.id)) for run in of_kind)
        chosen = (pair for pair in with_guests if not names or _is_about(pair[1], names))
        return [
            _in_full(ledger, run, guests, under_way=run is runs[0] and is_held)
            for run, guests in islice(chosen, count)
        ]

    return _known(local.ask_ledger(read, None), local)


def wanted_off(local: Local) -> Collection[GuestId]:
    """Whom somebody turned off, and nobody has started since."""

    def read(ledger: Ledger) -> Collection[GuestId] | None:
        return {one for one, is_now in ledger.guests().items() if is_now.wanted is Wanted.OFF}

    return _known(local.ask_ledger(read, None), local)


def _is_about(guests: Collection[PastGuest], names: Sequence[str]) -> bool:
    return any(
        guest.name == name or guest.uuid == name.lower() or fnmatchcase(guest.name, name)
        for guest in guests
        for name in names
    )


def _in_full(
    ledger: Ledger, run: PastRun, guests: list[PastGuest], *, under_way: bool
) -> PastRunInFull:
    """Guests of a run that goes on are at work, where those of one that does not were cut off."""
    under_way = under_way and run.ended is None
    if under_way:
        guests = [replace(g, outcome=AT_WORK) if g.outcome == CUT_OFF else g for g in guests]
    return PastRunInFull(run, guests, ledger.runs.steps(run.id), under_way)


def _known(answer: T | None, local: Local) -> T:
    """RequestError where there is no answer, which is not to say that nothing is recorded."""
    if answer is None:
        text = f"cannot tell: the ledger {local.ledger_path} could not be read"
        raise RequestError(Failure.NOT_ALL_WELL, text)
    return answer
