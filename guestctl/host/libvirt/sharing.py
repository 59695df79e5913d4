"""One call to libvirt for all who ask at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: Between two calls: so many times as long as one takes, at most so many seconds.
PAUSE, LONGEST_PAUSE = 10.0, 0.05
#: Seconds for which one waits for another under way, which may be on a connection that hangs.
PATIENCE = 1.0


class Shared(Generic[T]):
    """A call whose answer all share who asked before it began.

    It grows with the number of guests, and is asked for at each step of each of them: so it takes
    but a small part of the time.
    """

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._lock = asyncio.Lock()
        #: The newest answer, and when it was asked for, on the loop's clock.
        self._answer: tuple[float, T] | None = None
        self._not_before = float("-inf")

    async def __call__(self) -> T:
        """Its answer, begun after this was asked.

        Where it fails, or whoever began it gives up, the next that waits begins it anew.
        """
        asked = asyncio.get_running_loop().time()
        lock = await self._turn()
        try:
            if self._answer is None or self._answer[0] < asked:
                self._answer = await self._renewed()
            return self._answer[1]
        finally:
            lock.release()

    async def _turn(self) -> asyncio.Lock:
        while True:
            lock = self._lock
            try:
                async with asyncio.timeout(PATIENCE):
                    await lock.acquire()
            except TimeoutError:
                if self._lock is lock:
                    self._lock = asyncio.Lock()
            else:
                return lock

    async def _renewed(self) -> tuple[float, T]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._not_before - loop.time()))
        begun = loop.time()
        try:
            return begun, await self._call()
        finally:
            took = loop.time() - begun
            self._not_before = begun + took + min(LONGEST_PAUSE, PAUSE * took)
