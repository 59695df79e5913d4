"""After how long systemd forces a stop of the host, whatever guests are at.

The time counts from when the job of the target is queued: as logind's delay is over, or as somebody
starts the target (systemd.unit(5), JobTimeoutSec=; seen on 257).
"""

from __future__ import annotations

import asyncio
import time
from math import inf

from ..model.host_units import StopLimit
from .bus import BusError, SystemBus
from .systemd import BUS_LIMIT, MANAGER, NAME, PATH, UNIT
from .unit_states import job_limit


async def limit_of_stop(kind: str, address: str = "") -> StopLimit | None:
    """For a host that goes down in this way, of systemd.STOP_KINDS; None where nobody answered
    within 3 s.

    address: of a bus, if not the system's.
    """
    try:
        async with asyncio.timeout(BUS_LIMIT):
            return await _ask(f"{kind}.target", address)
    except (BusError, TimeoutError):
        return None


async def _ask(target: str, address: str) -> StopLimit:
    bus = await SystemBus.connect(address)
    try:
        (path,) = await bus.call(NAME, PATH, MANAGER, "LoadUnit", "s", (target,), returns="o")
        limit = job_limit(await bus.get_property(NAME, path, UNIT, "JobTimeoutUSec", "t"))
        if limit is None:
            return StopLimit(target, inf)
        return StopLimit(target, limit, await _gone(bus, limit))
    finally:
        bus.close()


async def _gone(bus: SystemBus, limit: float) -> float:
    """Seconds since units began to be stopped; systemd 252 does not tell.

    It may have been for another stop: before a soft-reboot, over which systemd keeps that time, or
    longer ago than the limit, for one that was cancelled.
    """

    async def when(name: str) -> float:
        return int(await bus.get_property(NAME, PATH, MANAGER, f"{name}Monotonic", "t")) / 1e6

    try:
        begun, booted = await when("ShutdownStartTimestamp"), await when("UserspaceTimestamp")
    except BusError:
        return 0.0
    gone = time.monotonic() - begun
    return gone if begun > booted and 0 <= gone <= limit else 0.0
