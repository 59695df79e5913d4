"""Units as systemd lists them: anybody may ask, and nothing is started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .bus import SystemBus
from .systemd import MANAGER, NAME, PATH


class ListedUnit(NamedTuple):
    """A unit by its name, systemd's words for what it is, and its object on the bus."""

    name: str
    load: str
    active: str
    sub: str
    path: str


async def units_named(bus: SystemBus, names: Iterable[str]) -> list[ListedUnit]:
    """Each of these, those that there are not as well.  BusError."""
    return await _listed(bus, "ListUnitsByNames", "as", (list(names),))


async def units_like(bus: SystemBus, pattern: str, *states: str) -> list[ListedUnit]:
    """Those that are loaded, in one of these states; in whichever where none is told.  BusError."""
    return await _listed(bus, "ListUnitsByPatterns", "asas", (list(states), [pattern]))


async def _listed(
    bus: SystemBus, member: str, signature: str, body: tuple[Any, ...]
) -> list[ListedUnit]:
    call = (NAME, PATH, MANAGER, member, signature, body)
    (rows,) = await bus.call(*call, returns="a(ssssssouso)")
    return [ListedUnit(row[0], row[2], row[3], row[4], row[6]) for row in rows]
