"""What is around the simulated service: systemd asked about daemons, and mounts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .service import ServedHost


class SimDaemons:
    """The Daemons of ports.py: systemd, asked about libvirt's."""

    def __init__(self, host: ServedHost) -> None:
        self._host = host

    async def running_guests(self, uri: str) -> tuple[str, ...]:
        await asyncio.sleep(0)
        guests = self._host.sim.daemon(uri).guests.values()
        return tuple(sorted(guest.name for guest in guests if guest.up))

    async def is_gone(self, uri: str) -> bool:
        await asyncio.sleep(0)
        return self._host.sim.daemon(uri).is_stopped

    async def start(self, uri: str) -> str:
        await asyncio.sleep(0)
        daemon = self._host.sim.daemon(uri)
        if self._host.stopping or not daemon.is_stopped:
            return ""
        asyncio.get_running_loop().call_later(1.0, daemon.begin_anew)
        return "libvirtd.service"


class SimMounts:
    """The Mounts of ports.py; kept: what must stay mounted, as it was last said."""

    def __init__(self, host: ServedHost) -> None:
        self._host = host
        self._mounted: bool | None = None
        self.kept: set[str] = set()

    async def keep(self, uris: Iterable[str], paths: Iterable[str]) -> None:
        await asyncio.sleep(0)
        self._mounted = self._host.sim.files.saves_mounted
        self.kept = {*uris, *paths}

    async def displaced(self, uris: Iterable[str]) -> frozenset[str]:
        await asyncio.sleep(0)
        gone = self._mounted and not self._host.sim.files.saves_mounted
        return frozenset(uris) if gone else frozenset()
