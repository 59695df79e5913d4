"""When something was: what the clock on the wall showed, and where in which boot of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Instant(NamedTuple):
    """A moment.

    at: the time of day, in nanoseconds since the epoch.  For showing only: it jumps, by hours
    where the host's own clock is dead and time is fetched from the network late.
    boot: the id of the host's boot.  up: nanoseconds since that began, those of a suspended host
    included (CLOCK_BOOTTIME, clock_gettime(2)): never set, and comparable within one boot alone.
    awake: the same without those of a suspended host (CLOCK_MONOTONIC).
    """

    at: int
    boot: str
    up: int
    awake: int = 0

    def seconds_since(self, boot: str | None, up: int | None) -> float | None:
        """How long ago that was; None where it was in another boot, or nobody knows when."""
        if boot != self.boot or up is None:
            return None
        return (self.up - up) / 1e9


Clock = Callable[[], Instant]
