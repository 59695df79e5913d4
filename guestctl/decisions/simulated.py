"""What simulations of runs share: a clock that jumps, and how far each guest is.  Pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from ..model.guest import GuestId
from ..model.plan import Estimate, GuestPlan, Outcome, Step, StepPlan
from ..model.result import StepEnd
from ..model.timeline import TimedGuest, TimedStep
from .estimates import expected

_OUTCOMES = {
    Step.SAVE: Outcome.SAVED,
    Step.SHUTDOWN: Outcome.SHUT_DOWN,
    Step.POWEROFF: Outcome.POWERED_OFF,
    Step.RESUME: Outcome.RESUMED,
    Step.START: Outcome.STARTED,
}


class Clock:
    """Goes from one thing that happens to the next; now: seconds since the run began."""

    def __init__(self) -> None:
        self.now = 0.0
        self._coming: list[tuple[float, bool, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, moment: float, do: Callable[[], None], *, is_limit: bool = False) -> None:
        """Have it done then; what runs out at one moment comes after all that ends by itself."""
        self._count += 1
        heapq.heappush(self._coming, (max(moment, self.now), is_limit, self._count, do))

    def soon(self, do: Callable[[], None]) -> None:
        """Have it done at this moment, after what is to be done then already."""
        self.at(self.now, do)

    def run(self) -> None:
        """Until nothing happens any more."""
        while self._coming:
            self.now, _, _, do = heapq.heappop(self._coming)
            do()


class Line:
    """Those that do one thing, of whom there are so many at a time; the others wait in line."""

    def __init__(self, most: float, clock: Clock, begin: Callable[[SimulatedGuest], None]) -> None:
        """begin: whose turn it is."""
        self._most, self._clock, self._begin = most, clock, begin
        self._busy = 0
        #: The first has waited longest.
        self._waiting: dict[GuestId, SimulatedGuest] = {}

    def ask(self, guest: SimulatedGuest) -> bool:
        """Whether it has to wait."""
        self._waiting[guest.id] = guest
        self._hand_out()
        return guest.id in self._waiting

    def leave(self, guest: SimulatedGuest) -> bool:
        """Have it wait no longer; whether it did."""
        return self._waiting.pop(guest.id, None) is not None

    def crowd_in(self, guest: SimulatedGuest) -> None:
        """It is one of them, though there are as many as there may be."""
        self._busy += 1
        self._begin(guest)

    def free(self) -> None:
        """One of them is through."""
        self._busy -= 1
        self._clock.soon(self._hand_out)

    def _hand_out(self) -> None:
        while self._busy < self._most and self._waiting:
            self.crowd_in(self._waiting.pop(next(iter(self._waiting))))


class SimulatedGuest:
    """How far one guest is.

    turn: when it had its turn, None before that.  passed: for whom it did not wait any longer.
    crowded: whether it did not wait any longer until fewer guests were shutting down.
    settles: how long it takes to be ready once it is up, None where nothing is asked of it.
    """

    def __init__(self, plan: GuestPlan) -> None:
        self.plan = plan
        self.id: GuestId = plan.guest.id
        self.turn: float | None = None
        self.passed: tuple[GuestId, ...] = ()
        self.crowded = False
        self.settles: Estimate | None = None
        self._steps: list[TimedStep] = []
        self._outcome = Outcome.FAILED

    @property
    def next(self) -> StepPlan | None:
        """The step that comes next; None where there is none any more, or it is down or up."""
        if self._outcome is not Outcome.FAILED or len(self._steps) == len(self.plan.steps):
            return None
        return self.plan.steps[len(self._steps)]

    @property
    def later(self) -> tuple[StepPlan, ...]:
        """The steps after that."""
        return self.plan.steps[len(self._steps) + 1 :]

    def leave_out(self, now: float, reason: str) -> None:
        """The next step is not begun."""
        self._note(now, 0.0, StepEnd.LEFT_OUT, reason)

    def begin(self, now: float, limit: float) -> float:
        """The next step begins, and is over after so many seconds; when that is."""
        assert self.next is not None
        takes = expected(self.plan.guest, self.next).seconds
        if takes <= limit:
            self._note(now, takes, StepEnd.DONE, "")
        else:
            reason = f"it takes about {takes:.0f}s, and {limit:.0f}s are left for it"
            self._note(now, limit, StepEnd.TIMED_OUT, reason)
        return self._steps[-1].ends

    def _note(self, now: float, seconds: float, end: StepEnd, reason: str) -> None:
        planned = self.next
        assert planned is not None
        what = (planned.step, now, seconds, expected(self.plan.guest, planned))
        self._steps.append(TimedStep(*what, end, reason, planned.at_a_time))
        if end is StepEnd.DONE:
            self._outcome = _OUTCOMES[planned.step]

    @property
    def timed(self) -> TimedGuest:
        """What became of it."""
        turn = self.turn or 0.0
        steps = tuple(self._steps)
        return TimedGuest(
            self.id, turn, steps, self._outcome, self.passed, self.settles, self.crowded
        )
