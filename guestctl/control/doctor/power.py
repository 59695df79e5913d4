"""How a UPS is watched, for the doctor."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from ...host import upsmon
from ...model.host_power import PowerSupply, Upsmon
from .look import Look


def gather(_look: Look) -> PowerSupply:
    """All of it.  OSError where it cannot be read."""
    file = upsmon.find()
    found = upsmon.read(file) if file else None
    if found is None or not found.monitors:
        return PowerSupply()
    if all(monitor.is_primary for monitor in found.monitors):
        return PowerSupply(found)
    return PowerSupply(asyncio.run(_in_full(found)))


async def _in_full(found: Upsmon) -> Upsmon:
    version, beside = await upsmon.version(), await upsmon.beside(Path(found.file))
    return replace(found, version=version, beside=beside)
