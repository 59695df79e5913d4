"""What only reads: guests as `list` shows them, plans, reason trails, past runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..decisions.host_facts import HostFacts, plan_of, rows_of
from ..ledger.ledger import Ledger
from ..model.guest import GuestId
from ..model.history import PastGuest, PastRun, PastStep, TrailEntry
from ..model.overview import Row
from ..model.plan import Plan
from .local import Local
from .requests import Failure, Named, RequestError, find, unreachable

Trail = list[tuple[GuestId, TrailEntry]]


class PastRunInFull(NamedTuple):
    """A past run, what became of each guest, and every step."""

    run: PastRun
    guests: list[PastGuest]
    steps: list[PastStep]


def named(rows: Collection[Row], names: Sequence[str]) -> list[Row]:
    """The rows of the guests named, by name, UUID or pattern; all where none is."""
    if not names:
        return list(rows)
    known = [Named(id_of(row), row.name) for row in rows]
    found = find(names, known, patterns=True)
    return [row for row in rows if id_of(row) in found]


def id_of(row: Row) -> GuestId:
    """The guest of a row."""
    return GuestId(row.uri, row.uuid)


def guests(facts: HostFacts) -> tuple[list[Row], Failure | None]:
    """Every guest that is known of; the failure says how incomplete that is."""
    unseen = None if facts.sees_all or facts.nothing_read else Failure.NOT_PERMITTED
    return rows_of(facts), unseen or incomplete(facts)


def plan(facts: HostFacts) -> tuple[Plan, Failure | None]:
    """What a preserve would do.  RequestError when no connection could be read."""
    if facts.nothing_read:
        reasons = "\n".join(lost.reason for lost in facts.lost)
        raise RequestError(_unreachable(facts), reasons)
    return plan_of(facts), incomplete(facts)


def incomplete(facts: HostFacts) -> Failure | None:
    """How incomplete the facts are, for want of connections."""
    if facts.nothing_read:
        return _unreachable(facts)
    return Failure.NOT_ALL_WELL if facts.lost else None


def _unreachable(facts: HostFacts) -> Failure:
    return unreachable(refused=all(lost.refused for lost in facts.lost))


def trail(local: Local, name: str, uris: Collection[str] | None) -> Trail:
    """What is recorded of guests of this name or UUID, oldest first.

    uris: of guests on these connections alone.
    """
    nothing: Trail = []

    def read(ledger: Ledger) -> Trail:
        known = ledger.known_as(name)
        named = [guest for guest in known if uris is None or guest.uri in uris]
        return ledger.trail.of_all(named)

    return local.ask_ledger(read, nothing)


def history(local: Local, count: int) -> list[PastRunInFull]:
    """The newest runs, newest first."""
    nothing: list[PastRunInFull] = []

    def read(ledger: Ledger) -> list[PastRunInFull]:
        return [
            PastRunInFull(run, ledger.runs.guests(run.id), ledger.runs.steps(run.id))
            for run in ledger.runs.newest(count)
        ]

    return local.ask_ledger(read, nothing)
