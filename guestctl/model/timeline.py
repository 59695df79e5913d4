"""A plan in time: when each guest begins and ends, and what there is no time for."""

from __future__ import annotations

from dataclasses import dataclass

from .guest import GuestId
from .plan import Basis, Estimate, Outcome, Step
from .result import StepEnd

#: Of a simulated step: it works, or runs out of time; or it is not begun.
_BEGUN = (StepEnd.DONE, StepEnd.TIMED_OUT)


@dataclass(frozen=True)
class TimedStep:
    """A step as it should go.

    begins: in seconds since the run began.  seconds: for how long it goes on, at most its limit.
    estimate: how long it would take.  reason: why it is left out, or runs out of time.
    at_a_time: of a save, how many share the storage; 0 where that is not known.
    """

    step: Step
    begins: float
    seconds: float
    estimate: Estimate
    end: StepEnd = StepEnd.DONE
    reason: str = ""
    at_a_time: int = 0

    @property
    def ends(self) -> float:
        """In seconds since the run began."""
        return self.begins + self.seconds

    @property
    def begun(self) -> bool:
        """Whether it is not left out."""
        return self.end in _BEGUN


@dataclass(frozen=True)
class TimedGuest:
    """What should become of one guest, and when.

    turn: when it does not wait for others of the order any more.  outcome: how it should end.
    passed: those for whom it should have waited, and has no time to.  settles: how long it takes to
    be ready once it is up, None where nothing is asked of it.  crowded: whether it should have
    waited until fewer guests were shutting down, and has no time to.
    """

    guest: GuestId
    turn: float
    steps: tuple[TimedStep, ...]
    outcome: Outcome
    passed: tuple[GuestId, ...] = ()
    settles: Estimate | None = None
    crowded: bool = False

    @property
    def begun(self) -> tuple[TimedStep, ...]:
        """The steps that are not left out."""
        return tuple(step for step in self.steps if step.begun)

    @property
    def begins(self) -> float | None:
        """When its first step does; None where none is begun."""
        return self.begun[0].begins if self.begun else None

    @property
    def ends(self) -> float:
        """When no more is done to it, and it is ready."""
        settles = self.settles.seconds if self.settles else 0.0
        return max((step.ends for step in self.steps), default=self.turn) + settles

    @property
    def fits(self) -> bool:
        """Whether there is time for its first step, and all that it should wait for."""
        in_turn = not self.passed and not self.crowded
        return in_turn and all(step.end is StepEnd.DONE for step in self.steps)

    @property
    def is_guess(self) -> bool:
        """Whether nothing is known of how long it takes; pulling a plug is the same for all."""
        asked = [step.estimate for step in self.begun if step.step is not Step.POWEROFF]
        waited_for = [self.settles] if self.settles else []
        return any(one.basis is Basis.DEFAULT for one in (*asked, *waited_for))


@dataclass(frozen=True)
class Timeline:
    """A run as it should go, for guests with steps, in the order of its plan.

    deadline: seconds that it may take in all, None where it has no end.
    """

    guests: tuple[TimedGuest, ...]
    deadline: float | None = None

    @property
    def ends(self) -> float:
        """When the last guest does, in seconds since the run began."""
        return max((guest.ends for guest in self.guests), default=0.0)
