"""libvirt-guests.service, libvirt's own script beside us: whom it took down as it was stopped.

As it is stopped it lists the guests that run, and then shuts them down or saves them; as it is
started it brings them back, or not, and removes the list (libvirt-guests.sh of 9.0, 11.3, 12.8).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ..model.host_units import RIVAL
from ..model.stop import RivalStop
from . import tasks
from .bus import BusError, SystemBus
from .systemd import MANAGER, NAME, PATH, UNIT

#: Its LISTFILE; localstatedir is /var wherever libvirt is packaged.
LIST = Path("/var/lib/libvirt/libvirt-guests")
#: Of the list: some 28,000 guests.
MOST_BYTES = 2**20
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ROOT, _WRITABLE_BY_OTHERS = 0, 0o022


@dataclass(frozen=True)
class Listing:
    """guests: UUIDs by connection, as it is named there: a URI, or "default".  age: of the file,
    in seconds; by the time of day, which may have been set since."""

    guests: Mapping[str, tuple[str, ...]]
    age: float

    @property
    def uuids(self) -> frozenset[str]:
        """Of all connections."""
        return frozenset(uuid for listed in self.guests.values() for uuid in listed)


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """A line is a connection and its guests; what is no UUID is left out."""
    found: dict[str, tuple[str, ...]] = {}
    for uri, *words in map(str.split, filter(str.strip, text.splitlines())):
        uuids = tuple(word for word in map(str.lower, words) if _UUID.fullmatch(word))
        found[uri] = found.get(uri, ()) + uuids
    return found


def read(file: Path = LIST) -> Listing | None:
    """The list, if there is one that only root can have written."""
    with contextlib.suppress(OSError):
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:  # open() would leave a folder's descriptor open
            found = os.fstat(descriptor)
            if _is_roots(found) and found.st_size <= MOST_BYTES:
                text = os.read(descriptor, MOST_BYTES).decode(errors="replace")
                return Listing(parse(text), time.time() - found.st_mtime)
        finally:
            os.close(descriptor)
    return None


def _is_roots(found: os.stat_result) -> bool:
    safe = found.st_uid == _ROOT and not found.st_mode & _WRITABLE_BY_OTHERS
    return safe and stat.S_ISREG(found.st_mode)


class _Times(NamedTuple):
    """On the monotonic clock, which is the loop's: when the host's user space came up, when the
    unit began to be stopped, and when it was; 0 for never in this boot, as far as systemd knows."""

    booted: float
    began: float
    ended: float


class LibvirtGuests:
    """The Rival of model.ports."""

    def __init__(self, address: str = "", file: Path = LIST) -> None:
        """address: of a bus, if not the system's."""
        self._address = address
        self._file = file
        self._reads = tasks.OneAtATime()
        #: A unit that is restarted removes its list at once.
        self._newest: RivalStop | None = None

    async def newest_stop(self) -> RivalStop | None:
        listing = await self._reads.do("list", lambda: read(self._file))
        if listing is None and self._newest is None:
            return None
        times = await self._times()
        if times is None:
            return None
        if listing is None:
            self._newest = _gone_on(self._newest, times)
        else:
            self._newest = stop_of(listing, times, asyncio.get_running_loop().time())
        return self._newest

    async def _times(self) -> _Times | None:
        try:
            bus = await SystemBus.connect(self._address)
        except BusError:
            return None
        try:
            return await _ask(bus)
        except BusError:
            return None
        finally:
            bus.close()


async def _ask(bus: SystemBus) -> _Times:
    call = (NAME, PATH, MANAGER, "LoadUnit", "s", (RIVAL,))
    (unit,) = await bus.call(*call, returns="o")

    async def when(path: str, interface: str, name: str) -> float:
        return int(await bus.get_property(NAME, path, interface, f"{name}Monotonic", "t")) / 1e6

    return _Times(
        await when(PATH, MANAGER, "UserspaceTimestamp"),
        await when(unit, UNIT, "ActiveExitTimestamp"),
        await when(unit, UNIT, "InactiveEnterTimestamp"),
    )


def stop_of(listing: Listing, times: _Times, now: float) -> RivalStop | None:
    """What is listed and when that was, on the loop's clock; None where it was in an earlier boot.

    systemd forgets a unit that is switched off and that no other names; then the file tells when.
    """
    if times.began:
        ended = times.ended if times.ended >= times.began else None
        return RivalStop(listing.uuids, times.began, ended)
    made = now - listing.age
    return RivalStop(listing.uuids, made, made) if times.booted <= made <= now else None


def _gone_on(newest: RivalStop | None, times: _Times) -> RivalStop | None:
    """The same stop, whose list is gone, as it is now."""
    if newest is None or newest.began != times.began:
        return None
    return replace(newest, ended=times.ended if times.ended >= times.began else None)
