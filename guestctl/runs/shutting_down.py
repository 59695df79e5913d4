"""How many guests are shutting down at a time, and that nobody waits for that too long."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from math import inf

from ..model.ports import HypervisorError
from .live_guest import LiveGuest


class Place:
    """That of one guest: in line, then among those that are shutting down."""

    def __init__(self) -> None:
        self._granted = asyncio.Event()

    @property
    def is_granted(self) -> bool:
        """Whether it has its turn."""
        return self._granted.is_set()

    def grant(self) -> None:
        """It has its turn."""
        self._granted.set()

    async def wait(self, live: LiveGuest, until: float) -> bool:
        """Until it has its turn, or the guest is down by itself, or `until`, on the loop's clock.

        Whether it is to shut down now.
        """
        granted = asyncio.create_task(self._granted.wait())
        down = asyncio.create_task(_is_down_by(live, until))
        try:
            await asyncio.wait({granted, down}, return_when=asyncio.FIRST_COMPLETED)
            return self.is_granted or not (down.done() and down.result())
        finally:
            granted.cancel()
            down.cancel()


async def _is_down_by(live: LiveGuest, until: float) -> bool:
    """Where that cannot be read, the step itself will tell."""
    with contextlib.suppress(HypervisorError):
        return await live.wait_down_by(until)
    return False


class ShutdownSlots:
    """The places of a run, in the order in which guests asked for them."""

    def __init__(self, most: int | None) -> None:
        """most: how many shut down at a time; None for all."""
        self._most = most or inf
        self._busy = 0
        self._waiting: deque[Place] = deque()

    @contextlib.contextmanager
    def place(self) -> Iterator[Place]:
        """One, in line or with its turn, until the guest's shutdown is over."""
        place = Place()
        self._waiting.append(place)
        self._hand_out()
        try:
            yield place
        finally:
            self._end(place)

    def crowd_in(self, place: Place) -> None:
        """Its guest shuts down as well, though there are as many as there may be."""
        if not place.is_granted:
            self._waiting.remove(place)
            self._grant(place)

    def _grant(self, place: Place) -> None:
        self._busy += 1
        place.grant()

    def _end(self, place: Place) -> None:
        if place.is_granted:
            self._busy -= 1
        else:
            self._waiting.remove(place)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._busy < self._most and self._waiting:
            self._grant(self._waiting.popleft())
