"""The simulated host's files, as guestctl sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from guestctl.model.guest import Disk, DiskKind, GuestFacts
from guestctl.model.save import Found, Stamp

from .behaviour import Image
from .files import Files

if TYPE_CHECKING:
    from .daemon import SimDaemon


class SimStorage:
    """The Storage of ports.py on simulated files."""

    def __init__(self, files: Files, daemons: Mapping[str, SimDaemon]) -> None:
        self.files = files
        self._daemons = daemons

    async def stamps(self, disks: Iterable[Disk]) -> dict[Disk, Stamp]:
        await self._answer()
        return {disk: self.files.stamp(disk) for disk in disks}

    async def image(self, guest: GuestFacts) -> Stamp | None:
        await self._answer()
        sim = self._daemons[guest.id.uri].guests.get(guest.id.uuid)
        disk = Disk(DiskKind.FILE, f"/save/{guest.name}.save")
        if sim is None or sim.image is Image.NONE:
            return Stamp(disk, Found.MISSING)
        return Stamp(disk, Found.PRESENT, sim.images.number, guest.memory, sim.images.number)

    async def content(self, guest: GuestFacts) -> str:
        await self._answer()
        sim = self._daemons[guest.id.uri].guests.get(guest.id.uuid)
        return f"{sim.uuid} {sim.images.number}" if sim and sim.image is Image.COMPLETE else ""

    async def folder(self, guest: GuestFacts) -> Stamp | None:
        await self._answer()
        return Stamp(Disk(DiskKind.FILE, "/save"), Found.PRESENT, int(self.files.saves_mounted))

    async def present(self, names: Iterable[str]) -> frozenset[str]:
        await self._answer()
        return frozenset(n for n in names if self.files.is_there([Disk(DiskKind.FILE, n)]))

    async def room(self, uri: str) -> int | None:
        await self._answer()
        return self._daemons[uri].free

    async def _answer(self) -> None:
        if self.files.silent:
            await asyncio.Event().wait()
