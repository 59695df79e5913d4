"""Going through guests, from each on to those that it waits for.  Pure.

In steps that grow with the number of guests and of words, not with that of waits: where everybody
waits for everybody there are millions of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


class Walk:
    """By place, and from each on to those that it waits for, by place; nobody twice.

    ends: of each guest, when it was gone through to the end; the sooner, the less.  Whoever comes
    to its end later than one that waits for it was being gone through already as that one was.
    came_from: from which guest each was come to; a guest where one begins anew is missing.
    """

    def __init__(self, words: Sequence[Iterable[str]], meant: Mapping[str, Sequence[int]]) -> None:
        """words: of each guest, for whom it waits.  meant: the places of those, sorted."""
        self.ends = [0] * len(words)
        self.came_from: dict[int, int] = {}
        self._begun = bytearray(len(words))
        self._ended = 0
        shared = {word: _Row(places) for word, places in meant.items() if len(places) > 1}
        self._rows = [_rows_of(own, meant, shared) for own in words]
        for place in range(len(words)):
            if not self._begun[place]:
                self._go_through(place)

    def _go_through(self, start: int) -> None:
        """Depth first, without recursion: there may be thousands in one chain."""
        self._begun[start] = True
        path = [start]
        while path:
            place = path[-1]
            left = (row.next(self._begun) for row in self._rows[place])
            found = min((one for one in left if one is not None), default=None)
            if found is None:
                self.ends[path.pop()] = self._ended
                self._ended += 1
            else:
                self._begun[found] = True
                self.came_from[found] = place
                path.append(found)


class _Row:
    """Places, of which those that were begun with are passed over once for all."""

    def __init__(self, places: Sequence[int]) -> None:
        self._places = places
        self._passed = 0

    def next(self, begun: bytearray) -> int | None:
        """The first that was not begun with."""
        while self._passed < len(self._places):
            if not begun[self._places[self._passed]]:
                return self._places[self._passed]
            self._passed += 1
        return None


def _rows_of(
    words: Iterable[str], meant: Mapping[str, Sequence[int]], shared: Mapping[str, _Row]
) -> list[_Row]:
    """Whom one guest waits for: a row for each word that means many, and one for all the others."""
    own = tuple(words)
    single = sorted({place for word in own if word not in shared for place in meant[word]})
    rows = [shared[word] for word in own if word in shared]
    return [*rows, _Row(single)] if single else rows
