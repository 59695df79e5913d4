"""How long a run that takes guests down will take, going by earlier ones.  Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from ..model.plan import GuestPlan, Plan, Step
from .budget import LEAST_POWEROFF


class Duration(NamedTuple):
    """Seconds that it will take, for guests of which anything is known; None for none of them.

    unknown: how many others there are.  most: it is over by then, whatever happens.
    """

    about: float | None
    unknown: int
    most: float

    @property
    def whole(self) -> float | None:
        """Seconds for all of it; None where some guest's are not known, or there is no guest."""
        return None if self.unknown else self.about or None


def expected(plan: Plan, parallel: int, deadline: float) -> Duration:
    """If the first step of each guest works, with so many saves at a time."""
    busy = [guest for guest in plan.guests if guest.steps]
    ends = [*_saves_end(busy, parallel), *_others_end(busy)]
    unknown = sum(guest.steps[0].estimate is None for guest in busy)
    most = deadline + LEAST_POWEROFF if busy else 0.0
    return Duration(max(ends, default=None if unknown else 0.0), unknown, most)


def _saves_end(guests: Iterable[GuestPlan], parallel: int) -> Iterable[float]:
    """Each takes the slot that is free first, in their order."""
    slots = [0.0] * parallel
    for guest in guests:
        first = guest.steps[0]
        if first.step is Step.SAVE and first.estimate is not None:
            end = slots[0] + first.estimate
            heapq.heapreplace(slots, end)
            yield end


def _others_end(guests: Iterable[GuestPlan]) -> Iterable[float]:
    for guest in guests:
        first = guest.steps[0]
        if first.step is not Step.SAVE and first.estimate is not None:
            yield first.estimate
