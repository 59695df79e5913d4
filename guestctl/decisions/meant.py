"""Whom the words of a wish mean: names, patterns, UUIDs.  Pure.

A guest is told by its place among all guests, which are sorted by name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fnmatch import filter as matching
from itertools import accumulate

from ..model.guest import GuestFacts

#: What makes a text a pattern (fnmatch).
_WILD = frozenset("*?[")


class Finder:
    """Finds guests by what a wish calls them, as a [[guest]] does (`policy.matches`), but fast."""

    def __init__(self, ordered: Sequence[GuestFacts]) -> None:
        self._by_name: dict[str, list[int]] = {}
        self._by_uuid: dict[str, list[int]] = {}
        for place, guest in enumerate(ordered):
            self._by_name.setdefault(guest.name, []).append(place)
            self._by_uuid.setdefault(guest.id.uuid.lower(), []).append(place)
        self._names = list(self._by_name)
        self._found: dict[str, list[int]] = {}

    def places(self, word: str) -> list[int]:
        """Everybody who is meant."""
        if word not in self._found:
            self._found[word] = sorted(set(self._look(word)))
        return self._found[word]

    def _look(self, word: str) -> Iterator[int]:
        yield from self._by_uuid.get(word.lower(), ())
        yield from self._by_name.get(word, ())
        for name in matching(self._names, word) if _WILD.intersection(word) else ():
            yield from self._by_name[name]


class Meant:
    """Guests that a word means, in the order in which a walk came to the end of them."""

    def __init__(self, places: Sequence[int], ends: Sequence[int]) -> None:
        """ends: of each guest of all, when that was; the sooner, the less."""
        self.places = sorted(places, key=ends.__getitem__)
        self._ends = [ends[place] for place in self.places]
        # Of those from each on, the first by name.
        self._first = list(accumulate(reversed(self.places), min))[::-1]

    def before(self, end: int) -> int:
        """How many of them came to their end before this; they are the first of `places`."""
        return bisect_left(self._ends, end)

    def first_after(self, end: int) -> int | None:
        """The first by name of those that came to their end after this."""
        number = bisect_left(self._ends, end + 1)
        return self._first[number] if number < len(self._first) else None
