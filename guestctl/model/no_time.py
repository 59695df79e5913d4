"""What there is no time for before the deadline, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .guest import GuestId
from .result import StepEnd
from .text import names
from .timeline import TimedGuest, TimedStep
from .units import show_seconds


def why_not(guest: TimedGuest, called: Mapping[GuestId, str]) -> Iterator[str]:
    """What one guest should have, and gets no time for.  called: what guests are called."""
    if guest.passed:
        others = names([called[other] for other in guest.passed])
        yield f"does not wait for {others}: there is no time for that order before the deadline"
    if guest.crowded:
        yield "does not wait for others to shut down: there is no time for that before the deadline"
    for place, step in enumerate(guest.steps):
        if step.end is not StepEnd.DONE:
            yield f"{_cut(step)}: {step.reason}; {_then(guest, place)}"


def _cut(step: TimedStep) -> str:
    if step.end is StepEnd.LEFT_OUT:
        return f"no {step.step}"
    return f"{step.step} is given up after {show_seconds(step.seconds)}"


def _then(guest: TimedGuest, place: int) -> str:
    if place + 1 < len(guest.steps):
        return f"then {guest.steps[place + 1].step}"
    return "nothing is tried after that, and it is still up as the run ends"
