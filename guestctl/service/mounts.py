"""What guests' saves and disks are on stays mounted until we have stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ..model.guest import DiskKind, GuestId
from ..model.ports import HypervisorError, Mounts, within
from ..runs.context import read_all, with_domain_info
from .connections import Connections
from .state import Activity, ServiceState

logger = logging.getLogger(__name__)

#: How often it is looked what is mounted, and where guests have their disks.
LOOK = 60.0
#: After so many looks the XML of all of them is read again.
ALL_AGAIN = 10
#: For systemd, and for the folders of saves, to answer.
LIMIT = 20.0


class KeepMounts:
    """Keeps the order in which systemd stops things in line with what guests need.

    paths: beside guests' disks and saves.
    """

    def __init__(self, state: ServiceState, mounts: Mounts, paths: tuple[str, ...]) -> None:
        self._state = state
        self._mounts = mounts
        self._paths = paths
        self._looks = 0
        self._disks: dict[GuestId, tuple[str, ...]] = {}
        self.connections: Connections | None = None

    async def work(self) -> None:
        """Never returns."""
        while True:
            # Not once the host goes down: what is gone by then must be missed.
            if self._state.activity in (Activity.WATCHING, Activity.RESTORING):
                await self._keep()
            await asyncio.sleep(LOOK)

    async def _keep(self) -> None:
        await self._read_disks()
        paths = {*self._paths, *(name for names in self._disks.values() for name in names)}
        uris = self._state.context.hypervisors.keys()
        with contextlib.suppress(HypervisorError):  # again at the next look
            await within(LIMIT, self._mounts.keep(uris, sorted(paths)))

    async def _read_disks(self) -> None:
        """Of guests that are up; those of a connection that cannot be used stay as they were."""
        assert self.connections is not None
        up, state = self.connections.up, self._state
        self._disks = {guest: names for guest, names in self._disks.items() if guest in up}
        self._looks += 1
        # Disks are added to guests that run.
        new = up if self._looks % ALL_AGAIN == 0 else up - self._disks.keys()
        if not new:
            return
        usable = self.connections.usable({guest.uri for guest in new})
        hypervisors = {u: h for u, h in state.context.hypervisors.items() if u in usable}
        inventory = await read_all(hypervisors)
        guests = (guest for guest in inventory.guests if guest.id in new)
        for guest in await with_domain_info(hypervisors, guests):
            kinds = (DiskKind.FILE, DiskKind.BLOCK)
            disks = guest.info.disks or ()
            self._disks[guest.id] = tuple(d.name for d in disks if d.kind in kinds)
