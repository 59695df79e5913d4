"""What follows from the facts of a host: guests as `list` shows them, plans, what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ..decisions.duration import Duration, duration_of
from ..decisions.findings import is_amiss as is_amiss
from ..decisions.findings import of_guests, of_run
from ..decisions.host_facts import (
    HostFacts,
    boot_timeline_of,
    plan_of,
    rows_of,
    shed_plan_of,
    timeline_of,
    with_deadline,
    with_profile,
)
from ..decisions.shedding import NOBODY_NUMBERED, Whom, chosen
from ..model.finding import Finding
from ..model.guest import GuestId
from ..model.near import nearest
from ..model.overview import Row
from ..model.plan import Plan
from ..model.timeline import Timeline
from .replies import PastRunInFull, Problems, is_about
from .requests import (
    Failure,
    Named,
    RequestError,
    find,
    refuse_unknown_profile,
    unreachable,
)


def named(rows: Collection[Row], names: Sequence[str]) -> list[Row]:
    """The rows of the guests named, by name, UUID or pattern; all where none is."""
    if not names:
        return list(rows)
    known = [Named(row.id, row.name) for row in rows]
    found = find(names, known, patterns=True)
    return [row for row in rows if row.id in found]


def near(name: str, rows: Collection[Row]) -> str | None:
    """The guest that may have been meant."""
    return next(iter(nearest(name, sorted({row.name for row in rows}))), None)


def row_json(row: Row) -> dict[str, Any]:
    """As `list --json` has it."""
    return asdict(row)


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
    refuse_unread(facts)
    return plan_of(facts), incomplete(facts)


def shed_plan(
    facts: HostFacts, names: Sequence[str], order: int | None, profile: str | None
) -> Plan:
    """What `shed` would do; RequestError as that would end with.  facts: under the profile."""
    refuse_unread(facts)
    if names:
        return shed_plan_of(facts, find(names, [Named(it.id, it.name) for it in facts.guests]))
    whom = Whom(order, profile)
    meant = chosen(whom, [guest for guest in facts.guests if not guest.down], facts.config)
    if whom == Whom() and not meant:
        raise RequestError(Failure.WRONG_REQUEST, NOBODY_NUMBERED)
    return shed_plan_of(facts, meant)


def refuse_unread(facts: HostFacts) -> None:
    """RequestError where no connection could be read."""
    if facts.nothing_read:
        reasons = "\n".join(lost.reason for lost in facts.lost)
        raise RequestError(_unreachable(facts), reasons)


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


def problems(facts: HostFacts, past: Iterable[PastRunInFull]) -> Problems:
    """What is wrong with guests; past: the newest run of each kind."""
    rows, failure = guests(facts)
    findings = wrong_with(facts, rows, past)
    troubled = [row for row in rows if any(is_about(finding, row) for finding in findings)]
    return Problems(troubled, findings, failure)


def wrong_with(
    facts: HostFacts, rows: Collection[Row], past: Iterable[PastRunInFull]
) -> list[Finding]:
    """What is wrong with guests now, and what went wrong in runs that are over."""
    of_past = [
        finding
        for run, guests, *_, under_way in past
        if not under_way
        for finding in of_run(run, guests, rows, facts.at)
    ]
    return of_guests(facts, rows) + of_past
