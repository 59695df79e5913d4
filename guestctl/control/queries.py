"""What only reads: guests as `list` shows them, plans, reason trails, past runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from ..decisions import overview
from ..decisions.forecast import SaveForecast
from ..decisions.overview import Moment
from ..decisions.plan import plan_down
from ..decisions.policy import resolve
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.history import PastGuest, PastRun, PastStep, TrailEntry
from ..model.overview import Row
from ..model.plan import Plan, RunKind
from ..model.record import GuestRecord
from ..model.save import SaveRecord
from ..runs.context import room_for_saves
from ..runs.save_check import with_image
from .local import Local, refuse_unreachable, unreachable
from .requests import Failure

Trail = list[tuple[GuestId, TrailEntry]]


class PastRunInFull(NamedTuple):
    """A past run, what became of each guest, and every step."""

    run: PastRun
    guests: list[PastGuest]
    steps: list[PastStep]


def guests(local: Local) -> tuple[list[Row], Failure | None]:
    """Every guest that is known of; the failure says how incomplete that is."""
    return asyncio.run(_guests(local))


async def _guests(local: Local) -> tuple[list[Row], Failure | None]:
    inventory = await local.read(domain_info=True)
    nothing: dict[GuestId, GuestRecord] = {}
    moment = Moment(local.boot, local.now())
    records = local.ask_ledger(lambda ledger: ledger.guests(moment.boot), nothing)
    listed = await _with_images_of_held(local, inventory.guests, records)
    policies, owned = partial(resolve, local.config), local.owns_next_boot
    rows = overview.rows(listed, records, policies, moment, owned=owned)
    rows += overview.unreadable(records.values(), inventory.lost, policies, moment)
    if not inventory.lost:
        return rows, None
    none = len(inventory.lost) == len(local.uris)
    return rows, unreachable(inventory) if none else Failure.NOT_ALL_WELL


async def _with_images_of_held(
    local: Local, guests: Iterable[GuestFacts], records: Mapping[GuestId, GuestRecord]
) -> list[GuestFacts]:
    """As a restore sees them: libvirt can know nothing of an image that was put back."""
    held = {record.id for record in records.values() if record.held_for_save}
    storage = local.storage
    return [await with_image(storage, guest) if guest.id in held else guest for guest in guests]


def plan(local: Local) -> tuple[Plan, Failure | None]:
    """What a preserve would do now.  RequestError when no connection could be read."""
    return asyncio.run(_plan(local))


async def _plan(local: Local) -> tuple[Plan, Failure | None]:
    inventory = await local.read(domain_info=True)
    refuse_unreachable(inventory, local.uris)
    room = await room_for_saves(local.storage, local.uris)
    nothing: list[SaveRecord] = []
    saves = local.ask_ledger(lambda ledger: ledger.saves.all(), nothing)
    forecast = SaveForecast(tuple(saves), room, local.config.shutdown.save_reserve)
    policies = partial(resolve, local.config)
    made = plan_down(RunKind.PRESERVE, inventory.guests, policies, forecast=forecast)
    return made, Failure.NOT_ALL_WELL if inventory.lost else None


def trail(local: Local, name: str) -> Trail:
    """What is recorded of guests of this name or UUID, oldest first."""
    nothing: Trail = []

    def read(ledger: Ledger) -> Trail:
        named = ledger.known_as(name)
        entries = [(guest, entry) for guest in named for entry in ledger.trail.of(guest)]
        return sorted(entries, key=lambda pair: pair[1].at)

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
