"""Guests that their users shut down, and that policy is to start again: when, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..model.guest import GuestId
from .waiting import first

#: Between a shutdown and the start that follows.  A guest that shuts itself down as soon as it
#: is up is started ever more rarely, until it has been left alone for CALM.
PAUSE, MOST_PAUSE, CALM = 5.0, 300.0, 600.0


class Restarts:
    """What is due stays due until it was tried, also when `work` is cancelled in between."""

    def __init__(self, start: Callable[[set[GuestId]], Awaitable[None]]) -> None:
        """start: has these guests started, those that are still to be."""
        self._start = start
        self._due: dict[GuestId, float] = {}
        #: How often each was due of late, and when it was last.
        self._late: dict[GuestId, tuple[int, float]] = {}
        self._changed = asyncio.Event()

    def owe(self, guest: GuestId) -> float:
        """The guest is to be started; in how many seconds."""
        now = asyncio.get_running_loop().time()
        times, last = self._late.get(guest, (0, now))
        times = times if now - last < CALM else 0
        pause = min(PAUSE * 2.0 ** min(times, 10), MOST_PAUSE)
        if self._due.get(guest, now) <= now:
            self._due[guest] = now + pause
            self._late[guest] = times + 1, now + pause
            self._changed.set()
        return pause

    async def work(self) -> None:
        """Have each started when its time has come; never returns."""
        while True:
            self._changed.clear()
            now = asyncio.get_running_loop().time()
            ready = {guest for guest, at in self._due.items() if at <= now}
            if ready:
                await self._start(ready)
                # Unless it is due anew: its start may have failed.
                self._due = {g: at for g, at in self._due.items() if g not in ready or at > now}
                continue
            pauses = [asyncio.sleep(at - now) for at in sorted(self._due.values())[:1]]
            await first(self._changed.wait(), *pauses)
