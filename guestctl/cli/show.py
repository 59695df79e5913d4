"""The verbs that only show: list, plan, why, history."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from ..config.config import Config
from ..control import local as common
from ..decisions import overview
from ..decisions.forecast import SaveForecast
from ..decisions.overview import Row
from ..decisions.plan import describe, plan_down
from ..decisions.policy import resolve
from ..host import machine
from ..host.libvirt import autostart
from ..host.locks import is_held
from ..host.storage import HostStorage
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.history import PastGuest, PastRun, PastStep, TrailEntry
from ..model.plan import GuestPlan, RunKind
from ..model.record import GuestRecord
from ..model.save import SaveRecord
from ..runs.context import Inventory, read_all, room_for_saves, with_domain_info
from ..runs.save_check import with_image
from .exits import CommandError, Exit, complain
from .text import emit, print_json, print_table, printable, when


def list_verb(arguments: Namespace) -> int:
    """`list`."""
    rows, status = _rows(arguments)
    if arguments.json:
        print_json([_list_json(row) for row in rows])
    else:
        print_table(_LIST, [_list_line(row) for row in rows])
    return status


_LIST = ("NAME", "STATE", "WANTED", "SAVED", "AUTOSTART", "STOPPED BY", "NEXT BOOT", "HELD")


def _list_line(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.state,
        row.wanted,
        "yes" if row.saved else "no",
        "yes" if row.autostart else "no",
        _stopped(row),
        row.next_boot,
        row.held or "-",
    )


def _stopped(row: Row) -> str:
    if not row.stopped_by:
        return "-"
    how = f", {row.stopped_how}" if row.stopped_how else ""
    sure = f" ({row.certainty})" if row.certainty else ""
    at = f" {when(row.stopped_at)}" if row.stopped_at else ""
    return f"{row.stopped_by}{how}{sure}{at}"


def _list_json(row: Row) -> dict[str, Any]:
    fields = asdict(row)
    del fields["reason"]
    return fields


def _rows(arguments: Namespace) -> tuple[list[Row], Exit]:
    """Every guest that is known of, and the exit status that says how complete that is."""
    config, uris, seen = _look(arguments)
    known: dict[GuestId, GuestRecord] = common.ask_ledger(lambda ledger: ledger.guests(), {})
    owned = autostart.is_ours_at_next_boot()
    guests = asyncio.run(_with_images_of_held(seen.guests, known))
    rows = overview.rows(guests, known, partial(resolve, config), machine.boot_id(), owned=owned)
    rows += overview.unreadable(known.values(), seen.lost)
    common.complain_of_lost(seen)
    if not seen.lost:
        return rows, Exit.OK
    none = len(seen.lost) == len(uris)
    return rows, common.unreachable_status(seen) if none else Exit.NOT_ALL_WELL


async def _with_images_of_held(
    guests: Iterable[GuestFacts], known: Mapping[GuestId, GuestRecord]
) -> list[GuestFacts]:
    """As a restore sees them: libvirt can know nothing of an image that was put back."""
    storage = HostStorage()
    return [
        await with_image(storage, guest) if _is_held_for_save(known.get(guest.id)) else guest
        for guest in guests
    ]


def _is_held_for_save(known: GuestRecord | None) -> bool:
    return known is not None and known.held_for_save


def _look(arguments: Namespace) -> tuple[Config, tuple[str, ...], Inventory]:
    config = common.load_config(arguments)
    uris = common.uris(arguments, config)
    common.complain_of_blindness(uris)
    return config, uris, asyncio.run(_read(uris))


async def _read(uris: tuple[str, ...]) -> Inventory:
    """All guests, with what their XML says."""
    hypervisors = common.hypervisors(uris, read_only=True)
    seen = await read_all(hypervisors)
    return replace(seen, guests=await with_domain_info(hypervisors, seen.guests))


def plan_verb(arguments: Namespace) -> int:
    """`plan` and `plan --boot`."""
    if arguments.boot:
        return _boot_plan(arguments)
    config, uris, seen = _look(arguments)
    common.refuse_unreachable(seen, uris)
    common.complain_of_lost(seen)
    room = asyncio.run(room_for_saves(HostStorage(), uris))
    nothing: list[SaveRecord] = []
    records = common.ask_ledger(lambda ledger: ledger.saves.all(), nothing)
    forecast = SaveForecast(tuple(records), room, config.shutdown.save_reserve)
    plan = plan_down(RunKind.PRESERVE, seen.guests, partial(resolve, config), forecast=forecast)
    if arguments.json:
        print_json([_plan_json(guest) for guest in plan.guests])
    else:
        lines = [(g.guest.name, str(g.guest.state), describe(g)) for g in plan.guests]
        print_table(("NAME", "STATE", "PLAN"), lines)
    return Exit.NOT_ALL_WELL if seen.lost else Exit.OK


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
        "outcome": plan.outcome,
        "reason": plan.reason,
    }


def _boot_plan(arguments: Namespace) -> int:
    rows, status = _rows(arguments)
    if arguments.json:
        fields = ("name", "uuid", "uri", "state", "next_boot", "reason")
        print_json([{key: getattr(row, key) for key in fields} for row in rows])
    else:
        lines = [(row.name, str(row.state), str(row.next_boot), row.reason) for row in rows]
        print_table(("NAME", "STATE", "NEXT BOOT", "REASON"), lines)
    return status


_Trail = list[tuple[GuestId, TrailEntry]]


def why_verb(arguments: Namespace) -> int:
    """`why GUEST`."""
    nothing: _Trail = []
    entries = common.ask_ledger(lambda ledger: _trail(ledger, arguments.guest), nothing)
    if not entries:
        raise CommandError(
            Exit.WRONG_REQUEST,
            f'cannot say why: nothing is recorded of "{arguments.guest}"{_whose()}',
        )
    if arguments.json:
        print_json([[entry.source, entry.reason, entry.at] for _, entry in entries])
        return Exit.OK
    several = len({guest for guest, _ in entries}) > 1
    for guest, entry in entries:
        # One name, several guests in the course of time: say which is meant.
        which = f"{guest.uuid} on {guest.uri}  " if several else ""
        emit(f"{when(entry.at)}  {which}{entry.source}  {printable(entry.reason)}\n")
    return Exit.OK


def _trail(ledger: Ledger, name: str) -> _Trail:
    guests = ledger.known_as(name)
    entries = [(guest, entry) for guest in guests for entry in ledger.trail.of(guest)]
    return sorted(entries, key=lambda pair: pair[1].at)


def _whose() -> str:
    return "" if machine.is_root() else " in this user's ledger; that of the host is root's"


_Past = tuple[PastRun, list[PastGuest], list[PastStep]]


def history_verb(arguments: Namespace) -> int:
    """`history`."""
    nothing: list[_Past] = []
    runs = common.ask_ledger(lambda ledger: _history(ledger, arguments.count), nothing)
    if arguments.json:
        print_json([_run_json(*run) for run in runs])
    else:
        for run, guests, _ in runs:
            _print_run(run, guests, under_way=run is runs[0][0] and is_held(machine.state_folder()))
    if not runs:
        complain(f"no run is recorded yet{_whose()}")
    return Exit.OK


def _history(ledger: Ledger, count: int) -> list[_Past]:
    return [
        (run, ledger.run_guests(run.id), ledger.run_steps(run.id)) for run in ledger.runs(count)
    ]


def _run_json(run: PastRun, guests: list[PastGuest], steps: list[PastStep]) -> dict[str, Any]:
    return {
        **asdict(run),
        "guests": [asdict(guest) for guest in guests],
        "steps": [asdict(step) for step in steps],
    }


def _print_run(run: PastRun, guests: list[PastGuest], *, under_way: bool) -> None:
    ending = "under way" if under_way else "cut off"
    if run.ended is not None:
        ending = f"{(run.ended - run.begun) / 1e9:.1f} s, {'well' if run.ok else 'not all well'}"
    emit(f"{when(run.begun)}  run {run.id}: {run.kind} ({run.trigger}), {ending}\n")
    for guest in guests:
        reason = f": {printable(guest.reason)}" if guest.reason else ""
        emit(f"    {printable(guest.name)}: {guest.outcome}{reason}\n")
