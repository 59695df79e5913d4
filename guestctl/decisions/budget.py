"""How the time until a run's deadline is shared among a guest's steps.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.plan import Step, StepPlan

#: What is kept free of the deadline for what comes later: the part of the deadline, and the most
#: in seconds.  For ending a step that ran out of time (aborting a save), for a shutdown that
#: follows a save (at most its timeout), for pulling plugs.
ENDING_SHARE, ENDING = 0.1, 30.0
SHUTDOWN_SHARE = 0.25
POWEROFF_SHARE, POWEROFF = 0.3, 30.0
#: libvirt gives a QEMU that does not answer SIGTERM for 10 s, then SIGKILL.
LEAST_POWEROFF = 15.0


@dataclass(frozen=True)
class Budget:
    """The time for one run; deadline: how many seconds it has in all."""

    deadline: float

    @property
    def ending(self) -> float:
        """The seconds for ending a step that ran out of time."""
        return min(ENDING, ENDING_SHARE * self.deadline)

    def allowance(self, planned: StepPlan, later: Sequence[StepPlan], left: float) -> float:
        """How many seconds a step may take: its timeout, within what is left of the deadline.

        later: the guest's steps after this one.  A poweroff always has its chance: without it the
        guest's end is no better.
        """
        if planned.step is Step.POWEROFF:
            return max(LEAST_POWEROFF, min(planned.timeout, left))
        keep = sum(self._reserve(step) for step in later)
        if planned.step is Step.SAVE:
            keep += self.ending
        return max(0.0, min(planned.timeout, left - keep))

    def _reserve(self, planned: StepPlan) -> float:
        if planned.step is Step.SHUTDOWN:
            return min(planned.timeout, SHUTDOWN_SHARE * self.deadline)
        return min(POWEROFF, POWEROFF_SHARE * self.deadline)
