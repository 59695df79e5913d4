"""Runs that people command on a simulated host, each in a process of its own beside the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from guestctl.model.guest import GuestId
from guestctl.model.plan import RunKind
from guestctl.model.result import RunResult, Trigger
from guestctl.runs.context import Context, Inventory, read_all
from guestctl.runs.preserve import preserve
from guestctl.runs.restore import restore

from .life import Life

if TYPE_CHECKING:
    from .service import ServedHost

Named = frozenset[GuestId]


async def take_down(host: ServedHost, kind: RunKind, names: tuple[str, ...]) -> RunResult:
    """Save these guests, or shut them down."""

    async def run(context: Context, inventory: Inventory, named: Named) -> RunResult:
        return await preserve(context, host.config, kind, Trigger.COMMAND, inventory, named)

    return await _in_a_process(host, names, run)


async def bring_up(host: ServedHost, names: tuple[str, ...]) -> RunResult:
    """Start these guests."""

    async def run(context: Context, inventory: Inventory, named: Named) -> RunResult:
        return await restore(context, host.config, Trigger.COMMAND, inventory, named)

    return await _in_a_process(host, names, run)


async def _in_a_process(
    host: ServedHost,
    names: tuple[str, ...],
    run: Callable[[Context, Inventory, Named], Awaitable[RunResult]],
) -> RunResult:
    life = host.operators = Life(host)
    inventory = await read_all(life.context.hypervisors)
    named = frozenset(guest.id for guest in inventory.guests if guest.name in names)
    with host.operator():
        result = await run(replace(life.context, host_stops=host.stops), inventory, named)
    for connection in life.process.connections.values():
        await connection.close()
    return result
