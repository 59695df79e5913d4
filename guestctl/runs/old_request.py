"""A guest that was asked to shut down and then saved before it did: resumed, it may still do so.

Its memory has the request: libvirt's own auto-shutdown saves beside us, and a guard goes on where a
service was killed.
"""

from __future__ import annotations

import contextlib

from ..model.ports import HypervisorError
from .live_guest import LiveGuest, is_down

#: Guests that do what they were asked to are down by then.
OBEYS = 30.0


async def obeys(live: LiveGuest) -> bool:
    """Whether it goes down within a while."""
    with contextlib.suppress(HypervisorError):
        return await live.wait_until(is_down, OBEYS) and live.facts.down
    return False
