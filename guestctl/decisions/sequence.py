"""Which guest comes up after which: the wishes of guests, to a graph without circles.  Pure.

Guests come up by the graph and go down by the same graph backwards.  Who is not given here
orders nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from ..config.config import Config
from ..config.settings import Order
from ..model.guest import GuestFacts, GuestId
from .graph import Graph, Node, Wish, add_levels, against_the_rest, guests_among
from .meant import Finder, Meant
from .policy import resolve
from .walk import Walk

NOTHING = Order()
#: A save that goes on for so many seconds has stopped its guest, also where no event told.
FROZEN_BY_THEN = 2.0


@dataclass(frozen=True)
class Circle:
    """Guests each of which waits for the next; the last for the first, and that is left out.

    came_from: how the last was come to, from the first on.  Where everybody waits for everybody
    there are as many circles as guests, and as long: all of them are seldom asked for.
    """

    first: GuestId
    last: GuestId
    came_from: Mapping[GuestId, GuestId] = field(compare=False, repr=False)

    @property
    def guests(self) -> tuple[GuestId, ...]:
        """All of them."""
        path = [self.last]
        while path[-1] != self.first:
            path.append(self.came_from[path[-1]])
        return tuple(reversed(path))


@dataclass(frozen=True)
class Sequence:
    """Who waits for whom on the way up.

    waits_for: the nodes that come before each node, guests that wait for nobody included.
    requires: those without which a guest is not started, as nodes: see `required`.
    circles: one for each guest of which a wait is left out.
    unnumbered: guests whose `order` goes against who they are to come after: they count as having
    none.
    """

    waits_for: Mapping[Node, frozenset[Node]] = field(default_factory=dict)
    requires: Mapping[GuestId, frozenset[Node]] = field(default_factory=dict)
    circles: tuple[Circle, ...] = ()
    unnumbered: tuple[GuestId, ...] = ()

    def required(self, guest: GuestId) -> set[GuestId]:
        """Those without which it is not started."""
        return guests_among(self.waits_for, self.requires.get(guest, ()))

    def wished(self, guest: GuestId) -> set[GuestId]:
        """Those that it is to come after by its own words; numbers are none."""
        return guests_among(self.waits_for, self.waits_for.get(guest, ()))

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
            own = needs.get(node, 0.0) if isinstance(node, GuestId) else 0.0
            kept[node] = max(own, later + FROZEN_BY_THEN) if node in at_once else own + later
        return {node: time for node, time in kept.items() if isinstance(node, GuestId)}


def sequence_of(guests: Iterable[GuestFacts], wishes: Mapping[GuestId, Order]) -> Sequence:
    """The order of these guests; of those in a circle, and by the same rule each time.

    The rule: guests are gone through by name, and from each on to those that it waits for, by name;
    a wait for a guest that is being gone through already is left out.
    """
    ordered = sorted(guests, key=lambda guest: (guest.name, guest.id))
    wished = {guest.id: wishes.get(guest.id, NOTHING) for guest in ordered}
    made = _Wishes(ordered, wished)
    graph, numbers = made.graph(), {g: w.order for g, w in wished.items() if w.order is not None}
    unnumbered = {*against_the_rest(graph, numbers)}
    add_levels(graph, {g: number for g, number in numbers.items() if g not in unnumbered})
    return Sequence(
        {node: frozenset(nodes) for node, nodes in graph.items()},
        {guest: nodes for guest in wished if (nodes := made.required(guest))},
        tuple(made.circles()),
        tuple(guest for guest in wished if guest in unnumbered),
    )


def sequence_for(config: Config, guests: Iterable[GuestFacts]) -> Sequence:
    """The order of these guests, as the configuration wishes it."""
    known = tuple(guests)
    return sequence_of(known, {guest.id: resolve(config, guest).order for guest in known})


class _Wishes:
    """Whom each guest waits for, without circles."""

    def __init__(self, ordered: list[GuestFacts], wished: Mapping[GuestId, Order]) -> None:
        self._ids = [guest.id for guest in ordered]
        self._wished = wished
        self._words = [dict.fromkeys((*own.after, *own.requires)) for own in wished.values()]
        find = Finder(ordered)
        places = {word: find.places(word) for words in self._words for word in words}
        walk = Walk(self._words, places)
        self._ends = walk.ends
        self._came_from = {self._ids[to]: self._ids[by] for to, by in walk.came_from.items()}
        self._meant = {word: Meant(those, walk.ends) for word, those in places.items()}
        self._wishes = {word: self._wish(word, waiting) for word, waiting in self._waiting()}

    def _waiting(self) -> Iterable[tuple[str, list[int]]]:
        """Each word, and whose it is."""
        found: dict[str, list[int]] = {}
        for place, words in enumerate(self._words):
            for word in words:
                found.setdefault(word, []).append(place)
        return found.items()

    def _wish(self, word: str, waiting: Iterable[int]) -> Wish:
        meant = self._meant[word]
        counts = {self._ids[place]: meant.before(self._ends[place]) for place in waiting}
        return Wish(word, [self._ids[place] for place in meant.places], counts)

    def graph(self) -> Graph:
        waits: Graph = {}
        for guest, words in zip(self._ids, self._words, strict=True):
            waits[guest] = {node for word in words for node in self._wishes[word].nodes(guest)}
        for wish in self._wishes.values():
            waits.update(wish.groups())
        return waits

    def required(self, guest: GuestId) -> frozenset[Node]:
        words = self._wished[guest].requires
        return frozenset(node for word in words for node in self._wishes[word].nodes(guest))

    def circles(self) -> Iterator[Circle]:
        """One for each guest of which a wait is left out: to the first of those by name."""
        for place, words in enumerate(self._words):
            left_out = (self._meant[word].first_after(self._ends[place]) for word in words)
            first = min((one for one in left_out if one is not None), default=None)
            if first is not None:
                yield Circle(self._ids[first], self._ids[place], self._came_from)


def mistakes_of(sequence: Sequence, guests: Iterable[GuestFacts]) -> Iterator[tuple[GuestId, str]]:
    """Each mistake in the order as a sentence that names guest by guest, and whose it is."""
    called = {guest.id: guest.name for guest in guests}
    for circle in sequence.circles:
        names = [called[guest] for guest in (*circle.guests, circle.guests[0])]
        text = f"guests wait for one another in a circle: {' after '.join(_shortened(names))}"
        yield circle.last, f"{text}; that {names[-2]} comes after {names[-1]} is left out"
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
