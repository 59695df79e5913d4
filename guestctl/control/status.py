"""What `status` tells: the service, what would trigger it, its connections, runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from ..config import effective
from ..host import status_file
from ..host.bus import BusError, SystemBus
from ..host.libvirt import autostart
from ..ledger.ledger import Ledger
from ..model.history import PastRun
from ..model.record import GuestRecord
from .local import Local

GUARD = "guestctl-guard.service"
_LOGIN = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_SYSTEMD = (
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
)

_Recorded = tuple[list[PastRun], dict[str, int]]


def status(local: Local) -> dict[str, Any]:
    """Everything, as `status --json` prints it."""
    said = status_file.read(local.run_folder)
    delay, guard = asyncio.run(_ask_host())
    nothing: _Recorded = ([], {"on": 0, "off": 0, "held": 0})
    runs, wanted = local.ask_ledger(_recorded, nothing)
    under_way = bool(runs) and runs[0].ended is None and local.lock.is_held()
    past = runs[1:] if under_way else runs
    if said:
        said.setdefault("configuration", {})["differs"] = _differences(local, said)
    return {
        "service": {"running": said is not None, **(said or {})},
        "guard": guard,
        "inhibit_delay": delay,
        "owns_autostart": list(autostart.claimed()),
        "wanted": wanted,
        "current_run": asdict(runs[0]) if under_way else None,
        "last_run": asdict(past[0]) if past else None,
    }


def _differences(local: Local, said: dict[str, Any]) -> list[str]:
    used = said.get("configuration", {}).get("values")
    return effective.differences(effective.values(local.config), used) if used else []


def is_well(found: dict[str, Any]) -> bool:
    """Whether the service is there, sees every connection, goes by its files as they are, and waits
    for no guest that is to be up."""
    service = found["service"]
    connected = all(state == "connected" for state in service.get("connections", {}).values())
    configuration = service.get("configuration", {})
    as_written = not (configuration.get("problems") or configuration.get("differs"))
    waits = service.get("waiting")
    return bool(service["running"] and connected and as_written and not waits)


def _recorded(ledger: Ledger) -> _Recorded:
    return ledger.runs.newest(2), _wanted(ledger.guests().values())


def _wanted(records: Collection[GuestRecord]) -> dict[str, int]:
    count = Counter(str(record.wanted) for record in records if record.wanted is not None)
    held = sum(record.hold is not None for record in records)
    return {"on": count["on"], "off": count["off"], "held": held}


async def _ask_host() -> tuple[float | None, str]:
    """Seconds that logind waits for inhibitors, and the state of the guard."""
    try:
        bus = await SystemBus.connect()
    except BusError:
        return None, "unknown"
    try:
        return await _delay(bus), await _guard(bus)
    finally:
        bus.close()


async def _delay(bus: SystemBus) -> float | None:
    try:
        return float(await bus.get_property(*_LOGIN, "InhibitDelayMaxUSec", "t")) / 1e6
    except BusError:
        return None


async def _guard(bus: SystemBus) -> str:
    try:
        call = (*_SYSTEMD, "ListUnitsByNames", "as", ([GUARD],))
        (units,) = await bus.call(*call, returns="a(ssssssouso)")
        return str(units[0][3])
    except (BusError, IndexError):
        return "unknown"
