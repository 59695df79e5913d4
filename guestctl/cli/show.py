"""The verbs that show what would be: plan, facts."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any

from ..config.toml import quoted
from ..control import queries
from ..control.facts import HostFacts, load, matches_of_nobody, mistakes_in_order
from ..control.facts_text import to_text
from ..control.masking import masked
from ..model.guest import GuestId
from ..model.overview import Row
from ..model.plan import GuestPlan, describe
from ..model.timeline import Timeline
from ..model.units import show_duration
from .exits import Exit, complain, exit_of
from .metadata import complain_of_metadata
from .options import client_of, complain_of_blindness, say_unused_of_host, seconds_of
from .tables import told_apart
from .text import emit, print_json, print_table
from .timeline import boot_json, in_time_json, print_timeline


def _rows(facts: HostFacts) -> tuple[list[Row], Exit]:
    rows, failure = queries.guests(facts)
    return rows, exit_of(failure)


def _facts(arguments: Namespace) -> HostFacts:
    """Those of this host, now."""
    client = client_of(arguments)
    complain_of_blindness(client)
    say_unused_of_host(client.config, arguments)
    return client.facts()


def facts_verb(arguments: Namespace) -> int:
    """`facts`."""
    facts = _facts(arguments)
    emit(to_text(masked(facts) if arguments.mask else facts))
    return exit_of(queries.incomplete(facts))


def plan_verb(arguments: Namespace) -> int:
    """`plan` and `plan --boot`, of this host or of recorded facts."""
    facts = load(arguments.facts, complain) if arguments.facts else _facts(arguments)
    for match in matches_of_nobody(facts):
        complain(f"no guest is matched by [[guest]] match = {quoted(match)}")
    complain_of_metadata(facts)
    mistakes = mistakes_in_order(facts)
    for mistake in mistakes:
        complain(mistake)
    facts = queries.under_profile(facts, arguments.profile)
    facts = queries.within(facts, seconds_of(arguments, facts.config))
    status = _boot_plan(facts, arguments) if arguments.boot else _plan(facts, arguments)
    return status or (Exit.NOT_ALL_WELL if mistakes else Exit.OK)


def _plan(facts: HostFacts, arguments: Namespace) -> int:
    if facts.nothing_read:  # each connection was complained of already
        return exit_of(queries.incomplete(facts))
    plan, failure = queries.plan(facts)
    chosen = _of_named(facts, plan.guests, arguments.guests)
    names = told_apart((g.guest.id, g.guest.name) for g in chosen)
    timeline = queries.timeline(facts, names)
    if arguments.json:
        timed = {guest.guest: guest for guest in timeline.guests}
        print_json(
            [plan_json(g) | in_time_json(timed.get(g.guest.id), timeline, names) for g in chosen]
        )
    else:
        lines = [(names[g.guest.id], str(g.guest.state), describe(g)) for g in chosen]
        print_table(("NAME", "STATE", "PLAN"), lines, wraps=True)
        _print_in_time(timeline, names)
    return exit_of(failure)


def _print_in_time(timeline: Timeline, names: Mapping[GuestId, str]) -> None:
    if timeline.guests:
        emit("\n")
        print_timeline(timeline, names)
        emit(in_all(timeline))


def in_all(timeline: Timeline) -> str:
    """The last line below a plan in time."""
    found = queries.duration(timeline)
    # What nobody knows of can only make it longer.
    how = "at least" if found.unknown else "about"
    parts = [f"{how} {show_duration(ceil(found.about))}"] if found.about is not None else []
    if found.unknown:
        count = len(timeline.guests)
        of = "" if found.about is None else f" of {found.unknown} of {count} guests"
        parts.append(f"nothing is known yet{of}")
    if found.most:
        parts.append(f"at most {show_duration(found.most)}")
    return f"in all: {'; '.join(parts)}\n"


def _of_named(
    facts: HostFacts, plans: Iterable[GuestPlan], names: Sequence[str]
) -> list[GuestPlan]:
    """Plans of the guests named; one of them that is down has none."""
    rows, _ = queries.guests(facts)
    chosen = {row.id for row in queries.named(rows, names)}
    return [plan for plan in plans if not names or plan.guest.id in chosen]


def plan_json(plan: GuestPlan) -> dict[str, Any]:
    """A guest's plan, without times."""
    return {
        "name": plan.guest.name,
        "uuid": plan.guest.id.uuid,
        "uri": plan.guest.id.uri,
        "state": plan.guest.state,
        "steps": [
            {
                "step": step.step,
                "timeout": step.timeout,
                "estimate": step.estimate,
                "basis": step.basis,
                "at_a_time": step.at_a_time or None,
            }
            for step in plan.steps
        ],
        "left_out": dict(plan.left_out),
        "notes": list(plan.notes),
        "outcome": plan.outcome,
        "reason": plan.reason,
    }


def _boot_plan(facts: HostFacts, arguments: Namespace) -> int:
    rows, status = _rows(facts)
    rows = queries.named(rows, arguments.guests)
    names = told_apart((row.id, row.name) for row in rows)
    timeline = queries.boot_timeline(facts, rows)
    if arguments.json:
        timed = {guest.guest: guest for guest in timeline.guests}
        fields = ("name", "uuid", "uri", "state", "next_boot", "reason")
        print_json(
            [
                {key: getattr(row, key) for key in fields} | boot_json(timed.get(row.id))
                for row in rows
            ]
        )
    else:
        lines = [(names[row.id], str(row.state), row.next_boot or "-", row.reason) for row in rows]
        print_table(("NAME", "STATE", "NEXT BOOT", "REASON"), lines, wraps=True)
        _print_in_time(timeline, names)
    return status
