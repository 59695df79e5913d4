"""Whose turn it is: guests wait until everybody whom the order puts before them is through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping

from ..decisions.sequence import Node
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
        self._left = {node: set(others) for node, others in waits_for.items()}
        self._behind: dict[Node, list[Node]] = {node: [] for node in waits_for}
        for node, others in waits_for.items():
            for other in others:
                self._behind[other].append(node)
        self._open = {node: asyncio.Event() for node in waits_for if not isinstance(node, int)}
        self._advance([node for node, left in self._left.items() if not left])

    async def wait(self, guest: GuestId) -> frozenset[GuestId]:
        """Until it is its turn, or time is over; who was not through by then."""
        if guest in self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._latest.get(guest)):
                    await self._open[guest].wait()
        return self.awaited(guest)

    def awaited(self, guest: GuestId) -> frozenset[GuestId]:
        """Who is not through of those before it."""
        return frozenset(self._awaited(guest)) if guest in self._left else frozenset()

    def is_through(self, guest: GuestId) -> None:
        """Those behind it need not wait for it any more; said twice, it is the same."""
        if guest in self._left:
            self._advance(self._without(guest))

    def _advance(self, nodes: list[Node]) -> None:
        """Open the turns of those that wait for nobody any more; a level is through at once."""
        while nodes:
            node = nodes.pop()
            if isinstance(node, int):
                nodes += self._without(node)
            else:
                self._open[node].set()

    def _without(self, node: Node) -> list[Node]:
        """Who waited for this one last."""
        waited = [other for other in self._behind[node] if node in self._left[other]]
        for other in waited:
            self._left[other].discard(node)
        return [other for other in waited if not self._left[other]]

    def _awaited(self, node: Node) -> Iterator[GuestId]:
        """The guests that it waits for, those of levels that are not through among them."""
        for other in self._left[node]:
            if isinstance(other, int):
                yield from self._awaited(other)
            else:
                yield other
