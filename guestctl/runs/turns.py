"""Whose turn it is: guests wait until everybody whom the order puts before them is through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

from ..decisions.graph import Node
from ..decisions.waiting import Waiting
from ..model.guest import GuestId


class Turns:
    """The turns of one run's guests.  One that the order does not know waits for nobody."""

    def __init__(
        self,
        waits_for: Mapping[Node, frozenset[Node]],
        latest: Mapping[GuestId, float] | None = None,
    ) -> None:
        """latest: until when each waits, on the loop's clock; for ever, unless told."""
        self._latest = latest or {}
        self._waiting = Waiting(waits_for)
        self._open = {node: asyncio.Event() for node in waits_for if isinstance(node, GuestId)}
        self._advance(self._waiting.free)

    async def wait(self, guest: GuestId) -> frozenset[GuestId]:
        """Until it is its turn, or time is over; who was not through by then."""
        if guest in self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._latest.get(guest)):
                    await self._open[guest].wait()
        return self.awaited(guest)

    def awaited(self, guest: GuestId) -> frozenset[GuestId]:
        """Who is not through of those before it; see Waiting."""
        return self._waiting.awaited(guest)

    def is_through(self, guest: GuestId) -> None:
        """Those behind it need not wait for it any more; said twice, it is the same."""
        self._advance(self._waiting.through(guest))

    def _advance(self, guests: Iterable[GuestId]) -> None:
        for guest in guests:
            self._open[guest].set()
