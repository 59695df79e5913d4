"""How many starts are in flight at a time, and how soon one follows another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Slot:
    """One that is held, to start a guest in it."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._is_held = True

    async def pause(self, seconds: float) -> None:
        """Let others have it for so long; then wait until there is one again."""
        self.end()
        await asyncio.sleep(seconds)
        await self._free.acquire()
        self._is_held = True

    def end(self) -> None:
        """It is free for others; said twice, it is the same."""
        if self._is_held:
            self._is_held = False
            self._free.release()


class Slots:
    """Guests are started one after another as slots get free, each `start-delay` after the one
    before."""

    def __init__(self, parallel: int) -> None:
        self._next = asyncio.Lock()
        self._free = asyncio.Semaphore(parallel)
        self._delay = 0.0

    @contextlib.asynccontextmanager
    async def turn(self, delay: float) -> AsyncIterator[Slot]:
        """Wait for a turn; delay: for how many seconds the next has to wait after it began."""
        async with self._next:
            await asyncio.sleep(self._delay)
            await self._free.acquire()
            self._delay = delay
        slot = Slot(self._free)
        try:
            yield slot
        finally:
            slot.end()
