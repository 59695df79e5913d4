"""By which doors the host goes down: logind's announcement, and SIGTERM while it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from . import journal
from .waiting import first

#: How often it is looked whether a shutdown was called off: no signal tells (systemd 252, 257).
CALLED_OFF_POLL = 1.0


class Announcer(Protocol):
    """What the doors need of logind."""

    async def preparing(self) -> bool | None:
        """Whether a shutdown is announced; None where that cannot be read."""


class Doors:
    """Which doors are open.

    is_stopping: whether systemd is taking the host down, None when nobody answers.
    """

    def __init__(
        self, logind: Announcer, is_stopping: Callable[[], Awaitable[bool | None]]
    ) -> None:
        self._logind = logind
        self._is_stopping = is_stopping
        self._announced = asyncio.Event()
        self._terminated = asyncio.Event()
        self._called_off = asyncio.Event()
        #: What kind of shutdown, as far as it is known.
        self.kind = ""

    def announce(self, kind: str) -> None:
        """logind announces a shutdown, which waits for those who hold an inhibitor."""
        self.kind = kind or self.kind
        if not self._announced.is_set():
            journal.log(f"logind announces that the host goes down ({kind or 'kind unknown'})")
        self._announced.set()

    def terminate(self) -> None:
        """SIGTERM: the service is to end, maybe because the host does."""
        self._terminated.set()

    @property
    def is_terminated(self) -> bool:
        """Whether SIGTERM came: from then on only systemd can give more time."""
        return self._terminated.is_set()

    async def until_terminated(self) -> None:
        """Until SIGTERM comes."""
        await self._terminated.wait()

    async def next(self) -> bool:
        """Until there is something to do: True when the host goes down, False to end only."""
        await first(self._announced.wait(), self._terminated.wait())
        return self._announced.is_set() or await self._host_stops()

    async def _host_stops(self) -> bool:
        answer = await self._is_stopping()
        if answer is None:
            text = "cannot tell whether the host is stopping: no guest is touched"
            journal.log(text, priority=journal.Priority.ERROR)
        return bool(answer)

    async def until_called_off(self) -> None:
        """Until it turns out that the announced shutdown does not come after all."""
        while not await self.is_called_off():
            await first(asyncio.sleep(CALLED_OFF_POLL), self._called_off.wait())
        self._announced.clear()
        self._called_off.clear()

    async def is_called_off(self) -> bool:
        """Whether the shutdown that was announced was cancelled.

        It shows in logind's property only.  Once systemd stops units there is no way back.
        """
        if not self._announced.is_set() or self._terminated.is_set():
            return False
        return await self._logind.preparing() is False and not await self._is_stopping()

    async def gate(self) -> None:
        """Awaited before each step of a run: does not return once the shutdown is called off."""
        if await self.is_called_off():
            self._called_off.set()
            await asyncio.Event().wait()  # the run is cancelled
