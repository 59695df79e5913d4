"""What systemd and logind say of guestctl and of what is beside it; anybody may ask them.

Just what `status` and `import` need, who ask often, or wait for it; the doctor has units in full as
well (host/unit_states.py).
"""

from __future__ import annotations

import asyncio

from ..host.bus import BusError, SystemBus
from ..host.listed_units import ListedUnit, units_named
from ..host.systemd import MANAGER, NAME, PATH
from ..model.host_units import GUARD, RIVAL, SERVICE, HostWords, Unit

_LOGIN = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_SYSTEMD = (NAME, PATH, MANAGER)
_SERVICE, _COMMANDS = "org.freedesktop.systemd1.Service", "a(sasbttttuii)"
_STOPS = ("ExecStop", "ExecStopPost")


def ask() -> HostWords:
    """All of it; what nobody answers is left out."""
    return asyncio.run(_ask())


async def _ask() -> HostWords:
    try:
        bus = await SystemBus.connect()
    except BusError:
        return HostWords()
    try:
        return HostWords(await _delay(bus), await _units(bus))
    finally:
        bus.close()


async def _delay(bus: SystemBus) -> float | None:
    try:
        return float(await bus.get_property(*_LOGIN, "InhibitDelayMaxUSec", "t")) / 1e6
    except BusError:
        return None


async def _units(bus: SystemBus) -> dict[str, Unit]:
    try:
        found = await units_named(bus, (SERVICE, GUARD, RIVAL))
        return {unit.name: await _unit(bus, unit) for unit in found}
    except BusError:
        return {}


async def _unit(bus: SystemBus, unit: ListedUnit) -> Unit:
    stops = unit.name != RIVAL or await _stops(bus, unit.path)
    return Unit(unit.active, await _enabled(bus, unit.name), stops)


async def _stops(bus: SystemBus, path: str) -> bool:
    """Whether its stop runs anything; it does as far as is known."""
    try:
        return any([await bus.get_property(NAME, path, _SERVICE, it, _COMMANDS) for it in _STOPS])
    except BusError:
        return True


async def _enabled(bus: SystemBus, name: str) -> str:
    try:
        (word,) = await bus.call(*_SYSTEMD, "GetUnitFileState", "s", (name,), returns="s")
        return str(word)
    except BusError:  # there is no such unit
        return ""
