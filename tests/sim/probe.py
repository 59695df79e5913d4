"""The network of a simulated host, and who answers on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from .daemon import SimDaemon


class Attempt(NamedTuple):
    """A connection that was tried at this virtual time."""

    time: float
    address: str
    port: int


class SimProbe:
    """The Probe of ports.py.  A guest that does not accept yet refuses; where there is none, there
    is no answer.

    most: how many connections were tried at a time.
    """

    def __init__(self, daemons: Mapping[str, SimDaemon]) -> None:
        self._daemons = daemons
        self.attempts: list[Attempt] = []
        self.under_way, self.most = 0, 0

    async def connects(self, address: str, port: int, limit: float) -> str:
        self.attempts.append(Attempt(asyncio.get_running_loop().time(), address, port))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self._connect(address, limit)
        finally:
            self.under_way -= 1

    async def _connect(self, address: str, limit: float) -> str:
        await asyncio.sleep(0.01)
        for daemon in self._daemons.values():
            for guest in daemon.guests.values():
                if guest.address == address and guest.up:
                    accepts = guest.has_run(guest.behaviour.accepts)
                    return "" if accepts else "Connection refused"
        await asyncio.sleep(limit)
        return f"no answer within {limit:g} s"
