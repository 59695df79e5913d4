"""What happens to guests, as it happens: libvirt's events, and what the service makes of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ..host import machine, status_file
from ..host.libvirt.hypervisor import LibvirtHypervisor
from ..model.event import GuestEvent
from ..model.history import TrailEvent
from ..model.ports import READ_LIMIT, HypervisorError, within
from ..model.uris import is_system
from .local import Local

#: How often the ledger is looked at, and a connection that broke is tried again.
LOOK, RECONNECT = 0.5, 2.0


async def watch(
    local: Local, on_event: Callable[[GuestEvent], None], on_trail: Callable[[TrailEvent], None]
) -> None:
    """Tell of every event, and of every new line of a reason trail; never returns."""
    if status_file.read(local.run_folder) is None:
        local.complain("the service does not run: there are events, but nobody who judges them")
    async with asyncio.TaskGroup() as group:
        for uri in local.uris:
            # Whoever may not act may still listen, though not to QEMU's monitor.
            may_act = machine.is_root() or not is_system(uri)
            hypervisor = LibvirtHypervisor(uri, read_only=not may_act)
            hypervisor.listen(on_event)
            group.create_task(_watch_connection(hypervisor, local.complain))
        group.create_task(_watch_ledger(local, on_trail))


async def _watch_connection(hypervisor: LibvirtHypervisor, complain: Callable[[str], None]) -> None:
    told = ""
    while True:
        try:
            disconnected = await within(READ_LIMIT, hypervisor.subscribe())
            complain(f"connected to {hypervisor.uri}")
            await disconnected.wait()
            told = ""
            complain(f"the connection to {hypervisor.uri} broke; trying again")
        except HypervisorError as error:
            if str(error) != told:
                told = str(error)
                complain(f"{error}; trying again")
        await asyncio.sleep(RECONNECT)


async def _watch_ledger(local: Local, on_trail: Callable[[TrailEvent], None]) -> None:
    """The trails of all guests, from now on; the service writes its verdicts there."""
    newest = local.ask_ledger(lambda ledger: ledger.trail.newest(), 0)
    state = _state(local)
    while True:
        await asyncio.sleep(LOOK)
        before, state = state, _state(local)
        for event in _since(local, newest) if state != before else ():
            newest = event.number
            on_trail(event)


def _since(local: Local, newest: int) -> list[TrailEvent]:
    nothing: list[TrailEvent] = []
    return local.ask_ledger(lambda ledger: ledger.trail.since(newest), nothing)


def _state(local: Local) -> list[tuple[int, int]]:
    """Of the ledger's files: to open a ledger means to check it, too much for each look."""
    path = local.ledger_path
    found = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found.append((stat.st_mtime_ns, stat.st_size))
    return found
