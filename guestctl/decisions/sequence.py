"""Which guest comes up after which: the wishes of guests, to a graph without circles.  Pure.

Guests come up by the graph and go down by the same graph backwards.  Who is not given here
orders nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import filter as matching
from graphlib import TopologicalSorter
from typing import NamedTuple

from ..config.config import Config
from ..config.settings import Order
from ..model.guest import GuestFacts, GuestId
from .policy import resolve

#: A guest, or the number of a level: everybody with that `order` is through.
Node = GuestId | int

NOTHING = Order()
#: A save that goes on for so many seconds has stopped its guest, also where no event told.
FROZEN_BY_THEN = 2.0


class Circle(NamedTuple):
    """Guests each of which waits for the next; the last for the first, and that is left out."""

    guests: tuple[GuestId, ...]


@dataclass(frozen=True)
class Sequence:
    """Who waits for whom on the way up.

    waits_for: the nodes that come before each node, guests that wait for nobody included.
    requires: those without which a guest is not started.
    circles: one for each guest of which a wait is left out.
    unnumbered: guests whose `order` goes against who they are to come after: they count as having
    none.
    """

    waits_for: Mapping[Node, frozenset[Node]] = field(default_factory=dict)
    requires: Mapping[GuestId, frozenset[GuestId]] = field(default_factory=dict)
    circles: tuple[Circle, ...] = ()
    unnumbered: tuple[GuestId, ...] = ()

    @property
    def orders_nothing(self) -> bool:
        """Whether nobody waits for anybody."""
        return not any(self.waits_for.values())

    def backwards(self) -> dict[Node, frozenset[Node]]:
        """Who waits for whom on the way down."""
        behind: dict[Node, set[Node]] = {node: set() for node in self.waits_for}
        for node, others in self.waits_for.items():
            for other in others:
                behind[other].add(node)
        return {node: frozenset(others) for node, others in behind.items()}

    def time_kept(
        self, needs: Mapping[GuestId, float], at_once: Collection[GuestId] = ()
    ) -> dict[GuestId, float]:
        """How long before the end of all each guest has to begin to go down, in seconds.

        needs: how long each takes itself.  The rest is for those that go down after it; they may
        go on beside those of at_once, which keep them waiting until they have begun.
        """
        kept: dict[Node, float] = {}
        for node in TopologicalSorter(self.waits_for).static_order():
            later = max((kept[other] for other in self.waits_for[node]), default=0.0)
            own = 0.0 if isinstance(node, int) else needs.get(node, 0.0)
            kept[node] = max(own, later + FROZEN_BY_THEN) if node in at_once else own + later
        return {node: time for node, time in kept.items() if not isinstance(node, int)}


def sequence_of(guests: Iterable[GuestFacts], wishes: Mapping[GuestId, Order]) -> Sequence:
    """The order of these guests; of those in a circle, and by the same rule each time.

    The rule: guests are gone through by name, and from each on to those that it waits for, by name;
    a wait for a guest that is being gone through already is left out.
    """
    ordered = sorted(guests, key=lambda guest: (guest.name, guest.id))
    find = _Finder(ordered)
    required = {g.id: find.all(wishes.get(g.id, NOTHING).requires, g.id) for g in ordered}
    before = {
        g.id: find.sorted({*required[g.id], *find.all(wishes.get(g.id, NOTHING).after, g.id)})
        for g in ordered
    }
    kept, circles = _without_circles(before)
    numbers = {g.id: w.order for g in ordered if (w := wishes.get(g.id, NOTHING)).order is not None}
    unnumbered = tuple(_against_the_rest(kept, numbers))
    for guest in unnumbered:
        del numbers[guest]
    return Sequence(
        {node: frozenset(nodes) for node, nodes in _with_levels(kept, numbers).items()},
        {guest: frozenset(kept[guest] & found) for guest, found in required.items() if found},
        tuple(circles),
        unnumbered,
    )


def sequence_for(config: Config, guests: Iterable[GuestFacts]) -> Sequence:
    """The order of these guests, as the configuration wishes it."""
    known = tuple(guests)
    return sequence_of(known, {guest.id: resolve(config, guest).order for guest in known})


#: What makes a text a pattern (fnmatch).
_WILD = frozenset("*?[")


class _Finder:
    """Finds guests by what a wish calls them, as a [[guest]] does (`policy.matches`), but fast."""

    def __init__(self, ordered: list[GuestFacts]) -> None:
        self._place = {guest.id: place for place, guest in enumerate(ordered)}
        self._by_name: dict[str, set[GuestId]] = {}
        self._by_uuid: dict[str, set[GuestId]] = {}
        for guest in ordered:
            self._by_name.setdefault(guest.name, set()).add(guest.id)
            self._by_uuid.setdefault(guest.id.uuid.lower(), set()).add(guest.id)
        self._names = list(self._by_name)
        self._found: dict[str, set[GuestId]] = {}

    def all(self, wanted: Iterable[str], but: GuestId) -> set[GuestId]:
        """Everybody who is meant; a guest never waits for itself."""
        return {guest for one in wanted for guest in self._one(one)} - {but}

    def sorted(self, guests: Iterable[GuestId]) -> list[GuestId]:
        """By name."""
        return sorted(guests, key=self._place.__getitem__)

    def _one(self, wanted: str) -> set[GuestId]:
        if wanted not in self._found:
            self._found[wanted] = set(self._look(wanted))
        return self._found[wanted]

    def _look(self, wanted: str) -> Iterator[GuestId]:
        yield from self._by_uuid.get(wanted.lower(), ())
        yield from self._by_name.get(wanted, ())
        for name in matching(self._names, wanted) if _WILD.intersection(wanted) else ():
            yield from self._by_name[name]


def _without_circles(
    before: Mapping[GuestId, list[GuestId]],
) -> tuple[dict[GuestId, set[GuestId]], list[Circle]]:
    walk = _Walk(before)
    for guest in before:
        walk.go_through(guest)
    return walk.kept, list(walk.circles.values())


class _Walk:
    """Depth first, without recursion: there may be thousands in one chain."""

    def __init__(self, before: Mapping[GuestId, list[GuestId]]) -> None:
        self._before = before
        self.kept: dict[GuestId, set[GuestId]] = {}
        #: One for each guest that has a wait left out: with "*" everywhere there are millions.
        self.circles: dict[GuestId, Circle] = {}
        #: Those that are being gone through, each with its place and what is left of its waits.
        self._path: dict[GuestId, Iterator[GuestId]] = {}

    def go_through(self, start: GuestId) -> None:
        if start not in self.kept:
            self._enter(start)
        while self._path:
            guest, left = next(reversed(self._path.items()))
            found = next(left, None)
            if found is None:
                del self._path[guest]
            elif found in self._path:
                self._leave_out(guest, found)
            else:
                self.kept[guest].add(found)
                if found not in self.kept:
                    self._enter(found)

    def _enter(self, guest: GuestId) -> None:
        self.kept[guest] = set()
        self._path[guest] = iter(self._before[guest])

    def _leave_out(self, guest: GuestId, found: GuestId) -> None:
        if guest not in self.circles:
            path = list(self._path)
            self.circles[guest] = Circle(tuple(path[path.index(found) :]))


def _against_the_rest(
    kept: Mapping[GuestId, set[GuestId]], numbers: Mapping[GuestId, int]
) -> Iterator[GuestId]:
    """Guests with a number below that of one that they come after, one way or another."""
    highest: dict[GuestId, float] = {}
    for guest in TopologicalSorter(kept).static_order():
        least = max((highest[other] for other in kept[guest]), default=float("-inf"))
        own = numbers.get(guest, least)
        if own < least:
            yield guest
        highest[guest] = max(own, least)


def _with_levels(
    kept: Mapping[GuestId, set[GuestId]], numbers: Mapping[GuestId, int]
) -> dict[Node, set[Node]]:
    """Everybody with a number waits for the level below, and is waited for by its own."""
    graph: dict[Node, set[Node]] = {guest: {*others} for guest, others in kept.items()}
    below: int | None = None
    levels: dict[int, list[GuestId]] = {}
    for guest, number in numbers.items():
        levels.setdefault(number, []).append(guest)
    for number, members in sorted(levels.items()):
        graph[number] = {*members}
        if below is not None:
            graph[number].add(below)
            for guest in members:
                graph[guest].add(below)
        below = number
    return graph


def mistakes_of(sequence: Sequence, guests: Iterable[GuestFacts]) -> Iterator[tuple[GuestId, str]]:
    """Each mistake in the order as a sentence that names guest by guest, and whose it is."""
    called = {guest.id: guest.name for guest in guests}
    for circle in sequence.circles:
        names = [called[guest] for guest in (*circle.guests, circle.guests[0])]
        text = f"guests wait for one another in a circle: {' after '.join(_shortened(names))}"
        yield circle.guests[-1], f"{text}; that {names[-2]} comes after {names[-1]} is left out"
    for guest in sequence.unnumbered:
        text = f"{called[guest]}: its `order` is below that of a guest that it comes after"
        yield guest, f"{text}; it counts as having none"


def _shortened(names: list[str]) -> list[str]:
    """A long circle by its ends."""
    if len(names) <= MOST_NAMED:
        return names
    half = MOST_NAMED // 2
    return [*names[:half], f"… {len(names) - 2 * half} more …", *names[-half:]]


#: So many guests of a circle are named.
MOST_NAMED = 20
