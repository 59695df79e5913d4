"""Whom a watch is to read next, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from ..model.guest import GuestId
from .waiting import first

#: Without any event all are read so often: one that was lost must not be lost for good.
ANYWAY = 300.0


class Due:
    """Guests that are to be read, or all of them; `wait` returns once there is something to do."""

    def __init__(self) -> None:
        self._guests: dict[GuestId, None] = {}
        self._all = False
        self._later: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()

    def add(self, guest: GuestId) -> None:
        """Read it now."""
        self._guests[guest] = None
        self._wake.set()

    def add_all(self) -> None:
        """Read everybody now."""
        self._all = True
        self._wake.set()

    def add_later(self, guests: Iterable[GuestId], later: float) -> None:
        """Read them in so many seconds, or before, with others."""
        self._guests.update(dict.fromkeys(guests))
        loop = asyncio.get_running_loop()
        if self._later and loop.time() < self._later.when() <= loop.time() + later:
            return  # they are read before
        if self._later:
            self._later.cancel()
        self._later = loop.call_later(later, self._wake.set)

    async def wait(self, disconnected: asyncio.Event) -> None:
        """Until somebody is to be read, or the connection breaks."""
        await first(self._wake.wait(), disconnected.wait(), asyncio.sleep(ANYWAY))
        self._wake.clear()

    def take(self) -> tuple[Collection[GuestId], bool]:
        """Who is to be read, and whether everybody is: also where nobody in particular is."""
        guests, self._guests = list(self._guests), {}
        everybody, self._all = self._all or not guests, False
        return guests, everybody
