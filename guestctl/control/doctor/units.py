"""What systemd, logind and the service say, and what a takeover left, for the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ...host import logind_conf, machine, unit_states
from ...host.bus import BusError, SystemBus
from ...host.hooks import daemons_without_hook
from ...host.libvirt import autostart
from ...host.libvirt_guests import LIST
from ...host.locks import is_locked
from ...model.host_state import NotKnown, NotSeen
from ...model.host_units import (
    OURS,
    RIVAL,
    SHUTDOWN_TARGET,
    WAYS_DOWN,
    Autostart,
    HostUnits,
    Setting,
    UnitInFull,
)
from ..failure import RequestError
from ..host_units import ask
from ..service_said import said_by_service
from ..takeover.record import LOCK, Store
from .look import Look


def units(_look: Look) -> HostUnits:
    """Raises NotSeen where systemd does not answer."""
    try:
        found = asyncio.run(_units())
    except BusError as error:
        raise NotSeen(NotKnown("systemd's units", str(error))) from error
    return HostUnits(
        ask(),
        found,
        _delay_set(),
        Autostart(autostart.claimed(), autostart.unmarked()),
        tuple(daemons_without_hook()),
        _cut_off(),
        str(LIST) if LIST.exists() else "",
    )


def _cut_off() -> str:
    """Only root may see it; a damaged one was not carried through either, as far as is known."""
    if is_locked(machine.SYSTEM_RUN, LOCK):
        return ""  # it goes on
    store = Store()
    try:
        record = store.read()
    except RequestError as error:
        refused = isinstance(error.__cause__, PermissionError)
        return "" if refused else str(store.file)
    return "" if record is None or record.complete else str(store.file)


async def _units() -> dict[str, UnitInFull]:
    bus = await SystemBus.connect()
    try:
        return await unit_states.units(bus, (*OURS, RIVAL, SHUTDOWN_TARGET, *WAYS_DOWN))
    finally:
        bus.close()


def _delay_set() -> Setting | NotKnown | None:
    try:
        return logind_conf.inhibit_delay()
    except OSError as error:
        refused = isinstance(error, PermissionError)
        return NotKnown("logind's configuration", str(error), refused)


def service(look: Look) -> Mapping[str, Any]:
    """What the service says of itself."""
    return said_by_service(look.local, ask(), look.hosts_files)
