"""libvirt's daemons as systemd sees them, and guests by their machine scopes.

While nobody answers on a connection, systemd still knows whether a daemon is there that could, and
which guests run: each has a scope of its own.  Nothing here raises; what cannot be asked is not
known.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable

from .bus import BusError, SystemBus
from .libvirt import processes
from .listed_units import ListedUnit, units_like, units_named
from .systemd import MANAGER, NAME, PATH, UNIT

_SERVICE = "org.freedesktop.systemd1.Service"
QEMU_DAEMONS = tuple(daemon.unit for daemon in processes.QEMU)
_DAEMONS = {"qemu": QEMU_DAEMONS, "lxc": tuple(daemon.unit for daemon in processes.LXC)}
#: machine-qemu\\x2d3\\x2dweb.scope: libvirt's number, and the name as far as machined takes it.
_SCOPE = re.compile(r"machine-(?P<driver>qemu|lxc)-\d+-(?P<name>.*)\.scope")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_AT_WORK = frozenset({"active", "reloading", "activating"})


class SystemdDaemons:
    """The Daemons of model.ports."""

    def __init__(self, address: str = "") -> None:
        """address: of a bus, if not the system's."""
        self._address = address

    async def running_guests(self, uri: str) -> tuple[str, ...]:
        if not (driver := _driver(uri)):
            return ()
        units = await self._asked(lambda bus: units_like(bus, f"machine-{driver}*.scope", "active"))
        return tuple(sorted(filter(None, (guest_of_scope(unit.name) for unit in units))))

    async def is_gone(self, uri: str) -> bool:
        units = await self._daemons(uri)
        return bool(units) and not any(map(_can_answer, units))

    async def start(self, uri: str) -> str:
        try:
            bus = await SystemBus.connect(self._address)
        except BusError:
            return ""
        try:
            units = await self._daemons(uri)
            alive = any(map(_can_answer, units))
            return "" if alive else await _start_last(bus, units)
        except BusError:
            return ""
        finally:
            bus.close()

    async def _daemons(self, uri: str) -> list[ListedUnit]:
        """Those that are installed; none where the connection is no system's, or unknown."""
        if not (names := _DAEMONS.get(_driver(uri))):
            return []
        units = await self._asked(lambda bus: units_named(bus, names))
        return [unit for unit in units if unit.load == "loaded"]

    async def _asked(
        self, question: Callable[[SystemBus], Awaitable[list[ListedUnit]]]
    ) -> list[ListedUnit]:
        """None of them where systemd cannot be asked."""
        try:
            bus = await SystemBus.connect(self._address)
        except BusError:
            return []
        try:
            return await question(bus)
        except BusError:
            return []
        finally:
            bus.close()


def _can_answer(unit: ListedUnit) -> bool:
    """Whether there is a process.  One that waits for its restart never gets it any more once its
    stop is queued (seen on 252 and 257)."""
    return unit.active in _AT_WORK and unit.sub != "auto-restart"


def guest_of_scope(unit: str) -> str:
    """The name of the guest whose scope that is; empty where it is none."""
    found = _SCOPE.fullmatch(_unescaped(unit))
    return found["name"] if found else ""


async def qemu_daemons_since(address: str = "") -> dict[str, float]:
    """Daemons of QEMU guests that run, by unit, and since when, in seconds since the epoch.

    BusError.  address: of a bus, if not the system's.
    """
    bus = await SystemBus.connect(address)
    try:
        units = await units_named(bus, QEMU_DAEMONS)
        running = [unit for unit in units if unit.active in _AT_WORK]
        return {unit.name: await _since(bus, unit.path) for unit in running}
    finally:
        bus.close()


async def _since(bus: SystemBus, path: str) -> float:
    name = "ExecMainStartTimestampMonotonic"  # the time of day may have been set since
    started = int(await bus.get_property(NAME, path, _SERVICE, name, "t")) / 1e6
    return time.time() - time.monotonic() + started


async def _start_last(bus: SystemBus, units: Iterable[ListedUnit]) -> str:
    """Start the daemon that was there last in this boot; its name, empty where there was none.

    "fail": where the host already stops units this must not cancel that (it is refused then).
    """
    ended: dict[int, str] = {}
    for unit in units:
        when = await bus.get_property(NAME, unit.path, UNIT, "InactiveEnterTimestampMonotonic", "t")
        ended[int(when)] = unit.name
    last = max(ended, default=0)
    if not last:
        return ""
    body = (ended[last], "fail")
    await bus.call(NAME, PATH, MANAGER, "StartUnit", "ss", body, returns="o")
    return ended[last]


def _driver(uri: str) -> str:
    """Of a connection to this host's system; empty for any other."""
    found = re.fullmatch(r"(qemu|lxc):///(system)?", uri)
    return found[1] if found else ""


def _unescaped(name: str) -> str:
    """systemd.unit(5): what is no letter or digit is written by its code."""
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), name)
