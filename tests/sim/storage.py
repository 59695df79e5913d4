"""The simulated host's files: guests' disks, save images, room for saves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from guestctl.model import Disk, DiskKind, GuestFacts
from guestctl.staleness import Found, Stamp

if TYPE_CHECKING:
    from tests.sim.hypervisor import SimDaemon


class SimStorage:
    """The Storage of ports.py on simulated files; what is not set here is present and quiet."""

    def __init__(self, daemons: Mapping[str, SimDaemon]) -> None:
        self._daemons = daemons
        self.files: dict[str, Stamp] = {}
        #: Bytes free by URI; unknown where there is no entry.
        self.free: dict[str, int] = {}

    async def stamps(self, disks: Iterable[Disk]) -> dict[Disk, Stamp]:
        return {disk: self._stamp(disk) for disk in disks}

    def _stamp(self, disk: Disk) -> Stamp:
        if disk.kind is not DiskKind.FILE:
            return Stamp(disk, Found.UNVERIFIABLE)
        return self.files.get(disk.name, Stamp(disk, Found.PRESENT, 1, 1, 1))

    async def image(self, guest: GuestFacts) -> Stamp | None:
        sim = self._daemons[guest.id.uri].guests.get(guest.id.uuid)
        disk = Disk(DiskKind.FILE, f"{guest.id.uuid}.save")
        if sim is None or not sim.facts.saved:
            return Stamp(disk, Found.MISSING)
        return Stamp(disk, Found.PRESENT, 1, 1, sim.images_made)

    async def room(self, uri: str) -> int | None:
        return self.free.get(uri)
