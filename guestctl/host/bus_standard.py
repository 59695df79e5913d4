"""The interfaces that every object has: Peer, Introspectable and Properties."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .bus_callers import Caller
from .bus_errors import CallError, Standard
from .bus_fitting import fitted_as
from .bus_interface import STANDARD, Interface, Property, introspection
from .bus_objects import Exported
from .bus_values import Variant

_MACHINE_IDS = Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")


class StandardMethods:
    """Answers calls of these, of all objects of an exporter."""

    def __init__(self, exported: Exported) -> None:
        self._exported = exported
        self._methods: dict[str, Callable[..., Awaitable[Sequence[Any]]]] = {
            "Ping": self._ping,
            "GetMachineId": self._machine_id,
            "Introspect": self._introspect,
            "Get": self._get,
            "GetAll": self._get_all,
            "Set": self._set,
        }

    async def call(
        self, caller: Caller, path: str, name: str, arguments: Sequence[Any]
    ) -> Sequence[Any]:
        """What the method returns; CallError."""
        return await self._methods[name](caller, path, *arguments)

    async def _ping(self, _: Caller, __: str) -> Sequence[Any]:
        return ()

    async def _machine_id(self, _: Caller, __: str) -> Sequence[Any]:
        for each in _MACHINE_IDS:
            try:
                return (each.read_text().strip(),)
            except (OSError, ValueError):
                continue
        raise CallError(Standard.FAILED, "this machine has no id")

    async def _introspect(self, caller: Caller, path: str) -> Sequence[Any]:
        try:
            children = await self._exported.children(caller, path)
        except CallError:
            children = ()  # what it has stands in the manual, whose guests these are does not
        return (introspection(self._exported.interfaces(path) or (), children),)

    async def _get(self, caller: Caller, path: str, interface: str, name: str) -> Sequence[Any]:
        for each in self._interfaces(path, interface):
            row = each.properties_by_name.get(name)
            if row is not None:
                return ((await self._values(caller, path, each, (row,)))[name],)
        raise _unknown_property(path, name)

    async def _get_all(self, caller: Caller, path: str, interface: str) -> Sequence[Any]:
        found = {}
        for each in self._interfaces(path, interface):
            found.update(await self._values(caller, path, each, each.properties))
        return (found,)

    async def _set(
        self, _: Caller, path: str, interface: str, name: str, __: Variant
    ) -> Sequence[Any]:
        if any(name in each.properties_by_name for each in self._interfaces(path, interface)):
            raise CallError(Standard.PROPERTY_READ_ONLY, f"{name} cannot be set")
        raise _unknown_property(path, name)

    def _interfaces(self, path: str, name: str) -> list[Interface]:
        """Those meant: all of the object's where none is named."""
        every = (*(self._exported.interfaces(path) or ()), *STANDARD)
        found = [each for each in every if name in ("", each.name)]
        if not found:
            raise CallError(Standard.UNKNOWN_INTERFACE, f"{path} has no interface {name}")
        return found

    async def _values(
        self, caller: Caller, path: str, interface: Interface, rows: Sequence[Property]
    ) -> dict[str, Variant]:
        if not rows:
            return {}
        if interface.needs:
            await self._exported.allow(caller, interface.needs)
        return variants(rows, await self._exported.properties(path, interface))


def variants(rows: Sequence[Property], values: Mapping[str, Any]) -> dict[str, Variant]:
    """The values of these properties as they are sent; ValueError where one is not of its type."""
    found = {}
    for row in rows:
        if row.name not in values:
            raise ValueError(f"{row.name} has no value")
        found[row.name] = Variant(row.signature, fitted_as(row, values[row.name]))
    return found


def _unknown_property(path: str, name: str) -> CallError:
    return CallError(Standard.UNKNOWN_PROPERTY, f"{path} has no property {name}")
