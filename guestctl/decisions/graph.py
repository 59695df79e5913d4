"""The graph of who waits for whom: guests, and nodes that stand for many of them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import NamedTuple

from ..model.guest import GuestId


class Group(NamedTuple):
    """So many of the guests that a word means, the first that were gone through to the end."""

    word: str
    size: int


#: A guest, a group, or the number of a level: everybody with that `order` is through.
Node = GuestId | Group | int
Graph = dict[Node, set[Node]]


class Wish:
    """One word, and everybody who waits for whom it means.

    Where few wait for few, each waits for each.  Else all wait for a group, and each group for the
    next smaller one of its word, and for those that it has more.
    """

    def __init__(self, word: str, guests: Sequence[GuestId], counts: Mapping[GuestId, int]) -> None:
        """counts: of everybody who waits, for how many of the guests, from the first on."""
        self._word, self._guests, self._counts = word, guests, counts
        self._is_grouped = len(guests) * len(counts) > len(guests) + len(counts)

    def nodes(self, waiting: GuestId) -> set[Node]:
        """What this guest waits for."""
        count = self._counts[waiting]
        if self._is_grouped:
            return {Group(self._word, count)} if count else set()
        return {*self._guests[:count]}

    def groups(self) -> Iterator[tuple[Group, set[Node]]]:
        """Each group, and what it waits for."""
        smaller = 0
        for count in sorted({*self._counts.values()} - {0}) if self._is_grouped else ():
            nodes: set[Node] = {*self._guests[smaller:count]}
            if smaller:
                nodes.add(Group(self._word, smaller))
            yield Group(self._word, count), nodes
            smaller = count


def guests_among(graph: Mapping[Node, Iterable[Node]], nodes: Iterable[Node]) -> set[GuestId]:
    """These guests, and those of these groups; levels stand for nobody."""
    found: set[GuestId] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        if isinstance(node, GuestId):
            found.add(node)
        elif isinstance(node, Group):
            left += graph[node]
    return found


def against_the_rest(graph: Graph, numbers: Mapping[GuestId, int]) -> Iterator[GuestId]:
    """Guests with a number below that of one that they come after, one way or another."""
    highest: dict[Node, float] = {}
    for node in TopologicalSorter(graph).static_order():
        least = max((highest[other] for other in graph[node]), default=float("-inf"))
        own = numbers.get(node, least) if isinstance(node, GuestId) else least
        if isinstance(node, GuestId) and own < least:
            yield node
        highest[node] = max(own, least)


def add_levels(graph: Graph, numbers: Mapping[GuestId, int]) -> None:
    """Everybody with a number waits for the level below, and is waited for by its own."""
    levels: dict[int, list[GuestId]] = {}
    for guest, number in numbers.items():
        levels.setdefault(number, []).append(guest)
    below: int | None = None
    for number, members in sorted(levels.items()):
        graph[number] = {*members}
        if below is not None:
            graph[number].add(below)
            for guest in members:
                graph[guest].add(below)
        below = number
