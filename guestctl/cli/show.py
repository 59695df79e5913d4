"""The verbs that only show: plan, facts, why, history."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ..config.toml import quoted
from ..control import queries
from ..control.facts import HostFacts, gather, load, matches_of_nobody
from ..control.facts_text import to_text
from ..control.local import Local
from ..control.masking import masked
from ..control.queries import PastRunInFull, id_of
from ..control.requests import Failure, RequestError
from ..model.overview import Row
from ..model.plan import GuestPlan, describe
from .exits import Exit, complain, exit_of
from .options import complain_of_blindness, connect, local_of, say_unused_of_host
from .tables import told_apart
from .text import emit, print_json, print_table, printable, when


def _rows(facts: HostFacts) -> tuple[list[Row], Exit]:
    rows, failure = queries.guests(facts)
    return rows, exit_of(failure)


def _facts(arguments: Namespace) -> HostFacts:
    """Those of this host, now."""
    local = local_of(arguments)
    complain_of_blindness(local)
    say_unused_of_host(local.config, arguments)
    return gather(local)


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
    return _boot_plan(facts, arguments) if arguments.boot else _plan(facts, arguments)


def _plan(facts: HostFacts, arguments: Namespace) -> int:
    plan, failure = queries.plan(facts)
    chosen = _of_named(facts, plan.guests, arguments.guests)
    if arguments.json:
        print_json([_plan_json(guest) for guest in chosen])
    else:
        names = told_apart((g.guest.id, g.guest.name) for g in chosen)
        lines = [(names[g.guest.id], str(g.guest.state), describe(g)) for g in chosen]
        print_table(("NAME", "STATE", "PLAN"), lines, wraps=True)
    return exit_of(failure)


def _of_named(
    facts: HostFacts, plans: Iterable[GuestPlan], names: Sequence[str]
) -> list[GuestPlan]:
    """Plans of the guests named; one of them that is down has none."""
    rows, _ = queries.guests(facts)
    chosen = {id_of(row) for row in queries.named(rows, names)}
    return [plan for plan in plans if not names or plan.guest.id in chosen]


def _plan_json(plan: GuestPlan) -> dict[str, Any]:
    return {
        "name": plan.guest.name,
        "uuid": plan.guest.id.uuid,
        "uri": plan.guest.id.uri,
        "state": plan.guest.state,
        "steps": [
            {"step": step.step, "timeout": step.timeout, "estimate": step.estimate}
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
    if arguments.json:
        fields = ("name", "uuid", "uri", "state", "next_boot", "reason")
        print_json([{key: getattr(row, key) for key in fields} for row in rows])
    else:
        names = told_apart((id_of(row), row.name) for row in rows)
        lines = [
            (names[id_of(row)], str(row.state), row.next_boot or "-", row.reason) for row in rows
        ]
        print_table(("NAME", "STATE", "NEXT BOOT", "REASON"), lines, wraps=True)
    return status


def why_verb(arguments: Namespace) -> int:
    """`why GUEST`."""
    local = local_of(arguments)
    entries = queries.trail(local, arguments.guest, local.uris if connect(arguments) else None)
    if not entries:
        text = f'cannot say why: nothing is recorded of "{arguments.guest}"'
        raise RequestError(Failure.WRONG_REQUEST, text + _whose(local))
    if arguments.json:
        print_json([[entry.source, entry.reason, entry.at] for _, entry in entries])
        return Exit.OK
    several = len({guest for guest, _ in entries}) > 1
    for guest, entry in entries:
        # One name, several guests in the course of time: say which is meant.
        which = f"{guest.uuid} on {guest.uri}  " if several else ""
        emit(f"{when(entry.at)}  {which}{entry.source}  {printable(entry.reason)}\n")
    return Exit.OK


def _whose(local: Local) -> str:
    own = " in this user's ledger; that of the host is root's"
    return "" if local.is_hosts else own


def history_verb(arguments: Namespace) -> int:
    """`history`."""
    local = local_of(arguments)
    runs = queries.history(local, arguments.count)
    if arguments.json:
        print_json([_run_json(past) for past in runs])
    else:
        for past in runs:
            _print_run(past, under_way=past is runs[0] and local.lock.is_held())
    if not runs:
        complain(f"no run is recorded yet{_whose(local)}")
    return Exit.OK


def _run_json(past: PastRunInFull) -> dict[str, Any]:
    return {
        **asdict(past.run),
        "guests": [asdict(guest) for guest in past.guests],
        "steps": [asdict(step) for step in past.steps],
    }


def _print_run(past: PastRunInFull, *, under_way: bool) -> None:
    run = past.run
    ending = "under way" if under_way else "cut off"
    if run.ended is not None:
        ending = f"{(run.ended - run.begun) / 1e9:.1f} s, {'well' if run.ok else 'not all well'}"
    emit(f"{when(run.begun)}  run {run.id}: {run.kind} ({run.trigger}), {ending}\n")
    for guest in past.guests:
        reason = f": {printable(guest.reason)}" if guest.reason else ""
        emit(f"    {printable(guest.name)}: {guest.outcome}{reason}\n")
