"""What systemd and logind say of guestctl and of what is beside it; anybody may ask them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..host.bus import BusError, SystemBus
from ..host.systemd import MANAGER, NAME, PATH

SERVICE, GUARD, RIVAL = "guestctl.service", "guestctl-guard.service", "libvirt-guests.service"
_LOGIN = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_SYSTEMD = (NAME, PATH, MANAGER)


@dataclass(frozen=True)
class Unit:
    """systemd's words: `active`, `failed` …; `enabled`, `disabled` …; "" where it has none."""

    active: str
    enabled: str

    @property
    def is_off(self) -> bool:
        """Whether the next boot does without it, because somebody said so."""
        return self.enabled in ("disabled", "masked", "masked-runtime")


@dataclass(frozen=True)
class HostWords:
    """delay: seconds that logind waits for inhibitors.  units: by name; empty without an answer."""

    delay: float | None = None
    units: Mapping[str, Unit] = field(default_factory=dict)

    def enabled(self, unit: str) -> str | None:
        """Whether a unit is for the next boot; None where nobody said."""
        return (self.units[unit].enabled or None) if unit in self.units else None

    def active(self, unit: str) -> str:
        """The state of a unit, or "unknown"."""
        return self.units[unit].active if unit in self.units else "unknown"


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
    names = [SERVICE, GUARD, RIVAL]
    try:
        call = (*_SYSTEMD, "ListUnitsByNames", "as", (names,))
        (rows,) = await bus.call(*call, returns="a(ssssssouso)")
        return {row[0]: Unit(str(row[3]), await _enabled(bus, row[0])) for row in rows}
    except (BusError, IndexError):
        return {}


async def _enabled(bus: SystemBus, name: str) -> str:
    try:
        (word,) = await bus.call(*_SYSTEMD, "GetUnitFileState", "s", (name,), returns="s")
        return str(word)
    except BusError:  # there is no such unit
        return ""
