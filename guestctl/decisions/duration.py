"""How long a run that takes guests down will take, going by earlier ones.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from ..model.timeline import Timeline
from .budget import LEAST_POWEROFF


class Duration(NamedTuple):
    """Seconds that it will take, for guests of which anything is known; None for none of them.

    unknown: how many others there are.  most: it is over by then, whatever happens; 0 where that
    is not so.
    """

    about: float | None
    unknown: int
    most: float

    @property
    def whole(self) -> float | None:
        """Seconds for all of it; None where some guest's are not known, or there is no guest."""
        return None if self.unknown else self.about or None


def duration_of(timeline: Timeline) -> Duration:
    """How long a run that goes so takes, and how sure that is."""
    known = [guest.ends for guest in timeline.guests if not guest.is_guess]
    unknown = len(timeline.guests) - len(known)
    ends = timeline.deadline is not None and bool(timeline.guests)
    most = (timeline.deadline or 0.0) + LEAST_POWEROFF if ends else 0.0
    return Duration(max(known, default=None if unknown else 0.0), unknown, most)
