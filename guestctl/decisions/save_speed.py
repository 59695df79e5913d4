"""How fast saves were, by how many went on at a time: they share the storage.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..model.save import SaveRecord, SaveState
from .median import median

#: How many of the newest the usual speed goes by.
HOST_SAVES = 20
_FINISHED = (SaveState.DONE, SaveState.RESUMING, SaveState.RESUMED, SaveState.DISCARDED)


@dataclass(frozen=True)
class SaveSpeeds:
    """What finished saves of before took, oldest first.

    parallel: how many a run saves at a time; 0 where that is not known, and nothing goes by it.
    """

    records: tuple[SaveRecord, ...] = ()
    parallel: int = 0

    def usual(self, at_a_time: int = 0) -> float | None:
        """Bytes in a second, of each, where so many are saved at a time; of all, where no others
        were saved in about such a number; None without any."""
        return self._by_size.get(_size(at_a_time)) or self._usual

    def seconds_now(self, record: SaveRecord, at_a_time: int) -> float:
        """What a save of before would take where so many are saved at a time: as much longer as
        others were; the same, where they do not tell."""
        then = self._by_size.get(_size(self._at_a_time(record)))
        now = self._by_size.get(_size(at_a_time))
        assert record.seconds
        return record.seconds * then / now if then and now else record.seconds

    def _at_a_time(self, record: SaveRecord) -> int:
        """With how many, itself included, that one was saved."""
        if record.run is None:
            return 0
        return min(self._together[record.guest.uri, record.run], self.parallel)

    @cached_property
    def finished(self) -> tuple[SaveRecord, ...]:
        """Those that tell a time."""
        return tuple(r for r in self.records if r.state in _FINISHED and r.seconds)

    @cached_property
    def _together(self) -> Counter[tuple[str, int | None]]:
        # Those of one connection have one folder.
        return Counter((record.guest.uri, record.run) for record in self.finished)

    @cached_property
    def _by_size(self) -> dict[int, float]:
        speeds: dict[int, list[float]] = {}
        for record in self.finished:
            speeds.setdefault(_size(self._at_a_time(record)), []).extend(_speed(record))
        return {
            size: median(found[-HOST_SAVES:]) for size, found in speeds.items() if size and found
        }

    @cached_property
    def _usual(self) -> float | None:
        speeds = [speed for record in self.finished[-HOST_SAVES:] for speed in _speed(record)]
        return median(speeds) if speeds else None


def _size(at_a_time: int) -> int:
    """About as many: one; two or three; four to seven; eight to fifteen; 0 for unknown."""
    return at_a_time.bit_length()


def _speed(record: SaveRecord) -> Iterable[float]:
    return [record.memory / record.seconds] if record.memory and record.seconds else []
