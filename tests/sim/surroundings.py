"""What is around the simulated service: systemd asked about daemons, and mounts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from guestctl.host.who_ran import JUST_NOW
from guestctl.model.guest import GuestId
from guestctl.model.stop import RivalStop

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


class StopNote:
    """That systemd has stopped units since a stop of the host began."""

    def __init__(self) -> None:
        self._said = False

    def say(self) -> None:
        """They are being stopped now."""
        self._said = True

    def said(self) -> bool:
        """Whether they were."""
        return self._said

    def forget(self) -> None:
        """A stop begins, or another boot."""
        self._said = False


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


class SimRival:
    """The Rival of ports.py: libvirt-guests.service, stopped by `take_down`."""

    def __init__(self, host: ServedHost) -> None:
        self._host = host
        self._stop: RivalStop | None = None
        #: Seconds until it is told.
        self.takes = 0.0

    async def newest_stop(self) -> RivalStop | None:
        await asyncio.sleep(self.takes)
        return self._stop

    async def take_down(self, *names: str, deed: str = "is asked to shut down") -> None:
        """`systemctl stop` of it: it lists who runs, then does to each what it is to."""
        loop = asyncio.get_running_loop()
        guests = [self._host.guest(name) for name in names]
        began = loop.time()
        self._stop = RivalStop(frozenset(guest.id.uuid for guest in guests), began)
        for guest in guests:
            self._host.happen(f"{guest.name} {deed}")
            while guest.up and loop.time() < began + 300:  # noqa: ASYNC110 - as its script does
                await asyncio.sleep(1)
        self._stop = replace(self._stop, ended=loop.time())

    def begin_boot(self) -> None:
        """The list of before is of another boot."""
        self._stop = None


class WhoRan:
    """What the newest service has left of who ran (host/who_ran.py)."""

    def __init__(self, host: ServedHost) -> None:
        self._host = host
        self._ran: frozenset[GuestId] = frozenset()
        self._at = float("-inf")

    def keep(self, ran: frozenset[GuestId] | None) -> None:
        """The last word of a service, where it had one."""
        self._ran = self._ran if ran is None else ran
        self._at = asyncio.get_running_loop().time()

    def kept(self) -> frozenset[GuestId]:
        """For whoever comes next."""
        away = asyncio.get_running_loop().time() - self._at
        return self._ran if away <= JUST_NOW else frozenset()

    async def find(self) -> frozenset[GuestId]:
        """For the guard, where libvirt itself pauses guests."""
        await asyncio.sleep(0)
        return self.kept() if self._host.auto_shutdown else frozenset()
