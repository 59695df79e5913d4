"""libvirt's own auto-shutdown: in its file, in daemons, in guests' scopes; for the doctor."""

from __future__ import annotations

import asyncio
import time

from ...host import daemons, scopes
from ...host.bus import BusError
from ...host.libvirt import auto_shutdown
from ...model.host_auto_shutdown import AutoShutdown
from ...model.host_state import NotKnown, NotSeen
from .look import Look


def gather(_look: Look) -> AutoShutdown:
    """All of it.  Raises NotSeen where systemd does not answer."""
    try:
        return asyncio.run(look())
    except BusError as error:
        what = "libvirt's auto-shutdown"
        raise NotSeen(NotKnown(what, f"systemd does not answer: {error}")) from error


async def look() -> AutoShutdown:
    """As it is now.  BusError."""
    return AutoShutdown(auto_shutdown.switched_on(), await _behind(), await scopes.of_guests())


async def _behind() -> tuple[str, ...]:
    """Daemons that may go by what stood in the file before."""
    written = auto_shutdown.written_at()
    if not auto_shutdown.is_known() or written > time.time():
        return ()  # or the clock was wrong by then, or is now
    since = await daemons.qemu_daemons_since()
    return tuple(unit for unit, began in since.items() if began < written)
