"""What a run looks like while it goes on: plain lines, or nothing; live_table.py has more."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

from ..model.report import (
    GuestAdded,
    GuestEnded,
    RunBegan,
    RunEvent,
    StepBegan,
    StepEnded,
    Trouble,
    count_of_guests,
)
from ..model.result import GuestResult, StepEnd
from ..model.units import show_limit
from .exits import complain
from .text import printable


class Display:
    """Listens to a run, and shows nothing but trouble; the base of the other displays.

    follows_progress: whether how far saves are is shown.
    """

    follows_progress = False

    def as_of(self, moment: float) -> None:
        """The next event was then, in seconds on the monotonic clock, and not just now."""

    def away(self) -> AbstractContextManager[None]:
        """Keep off the terminal meanwhile: somebody else asks there."""
        return contextlib.nullcontext()

    def __call__(self, event: RunEvent) -> None:
        """Show it."""
        if isinstance(event, Trouble):
            complain(printable(event.message))


class Lines(Display):
    """A line for each thing that happens, for pipes and the journal."""

    def __call__(self, event: RunEvent) -> None:
        super().__call__(event)
        match event:
            case RunBegan(plan, trigger):
                self._line(f"{plan.kind} of {count_of_guests(len(plan.guests))} ({trigger})")
            case GuestAdded(plan):
                self._line(f"{plan.guest.name}: came up meanwhile")
            case StepBegan(guest, step, timeout):
                self._line(f"{guest.name}: {step} begins, at most {show_limit(timeout)}")
            case StepEnded(guest, result) if result.end is not StepEnd.DONE:
                self._line(f"{guest.name}: {result.step} {result.end}: {result.reason}")
            case GuestEnded(result):
                self._line(_ending(result))

    def _line(self, text: str) -> None:
        # Whoever read our output may be gone (a closed file is a ValueError): the run goes on.
        with contextlib.suppress(OSError, ValueError):
            print(printable(text), flush=True)


def _ending(result: GuestResult) -> str:
    took = f"{result.outcome} after {result.seconds:.1f} s"
    if not result.why:
        return f"{result.name}: {took}"
    return f"{result.name}: {took}: {result.why}"
