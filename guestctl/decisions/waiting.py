"""Whose turn it is by now: a graph that is gone through.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.guest import GuestId
from .graph import Node


class Waiting:
    """Who still waits for whom.

    free: whose turn it is from the beginning.
    """

    def __init__(self, waits_for: Mapping[Node, frozenset[Node]]) -> None:
        self._left = {node: set(others) for node, others in waits_for.items()}
        self._behind: dict[Node, list[Node]] = {node: [] for node in waits_for}
        for node, others in waits_for.items():
            for other in others:
                self._behind[other].append(node)
        self.free = self._opened([node for node, left in self._left.items() if not left])

    def through(self, guest: GuestId) -> list[GuestId]:
        """Whose turn it is, now that this one is through; nobody's where that is said again, or
        of a guest that the graph does not know."""
        return self._opened(self._without(guest)) if guest in self._left else []

    def awaited(self, node: Node) -> frozenset[GuestId]:
        """The guests that it waits for; of levels and groups that are not through the nearest
        alone."""
        found: set[GuestId] = set()
        behind = {node}
        while behind and not found:
            waits = [other for one in behind for other in self._left.get(one, ())]
            found = {other for other in waits if isinstance(other, GuestId)}
            behind = {other for other in waits if not isinstance(other, GuestId)}
            for one in behind:
                found |= {guest for guest in self._left[one] if isinstance(guest, GuestId)}
        return frozenset(found)

    def _opened(self, nodes: list[Node]) -> list[GuestId]:
        """The guests among them, and those behind levels and groups, which are through at once."""
        guests = []
        while nodes:
            node = nodes.pop()
            if isinstance(node, GuestId):
                guests.append(node)
            else:
                nodes += self._without(node)
        return guests

    def _without(self, node: Node) -> list[Node]:
        """Who waited for this one last."""
        waited = [other for other in self._behind[node] if node in self._left[other]]
        for other in waited:
            self._left[other].discard(node)
        return [other for other in waited if not self._left[other]]
