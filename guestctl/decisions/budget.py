"""How the time until a run's deadline is shared among a guest's steps.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..model.plan import GuestPlan, Outcome, Step, StepPlan

#: What is kept free of the deadline for what comes later: the part of the deadline, and the most
#: in seconds.  For ending a step that ran out of time (aborting a save), for a shutdown that
#: follows a save (at most its timeout), for pulling plugs.
ENDING_SHARE, ENDING = 0.1, 30.0
SHUTDOWN_SHARE = 0.25
POWEROFF_SHARE, POWEROFF = 0.3, 30.0
#: What a guest needs for its first step, where others wait for their turns: that much more than it
#: is expected to take; a part of the deadline where nothing is known of it.
MARGIN, UNKNOWN_SHARE = 1.5, 0.15
#: libvirt gives a QEMU that does not answer SIGTERM for 10 s, then SIGKILL.
LEAST_POWEROFF = 15.0
#: What is kept free of the time after which systemd forces the host down, for what comes after
#: guests (libvirt's daemons, disks, the journal): the part of it, the least and the most seconds.
#: A poweroff that begins at the very deadline fits into the least.
AFTER_GUESTS_SHARE, LEAST_AFTER_GUESTS, MOST_AFTER_GUESTS = 0.25, 15.0, 180.0


def before_force(limit: float) -> float:
    """How many of the seconds after which systemd forces the host down are for guests."""
    least_share = max(LEAST_AFTER_GUESTS, AFTER_GUESTS_SHARE * limit)
    return max(0.0, limit - min(least_share, MOST_AFTER_GUESTS))


@dataclass(frozen=True)
class Budget:
    """The time for one run; deadline: how many seconds it has in all."""

    deadline: float

    @property
    def ending(self) -> float:
        """The seconds for ending a step that ran out of time."""
        return min(ENDING, ENDING_SHARE * self.deadline)

    def last_steps(self, shutdown_timeout: float) -> float:
        """How many seconds before the deadline a guest that is being saved has to go on to its
        next steps."""
        shutdown = min(shutdown_timeout, SHUTDOWN_SHARE * self.deadline)
        return self.ending + shutdown + min(POWEROFF, POWEROFF_SHARE * self.deadline)

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

    def needs(self, steps: Sequence[StepPlan]) -> float:
        """How many seconds before the deadline a guest has to begin, so that it gets these steps.

        As long as its first step is expected to take, with a margin, and what is kept for the rest.
        Nothing comes after a poweroff: it has the time that it takes at most, as far as is known.
        """
        if not steps:
            return 0.0
        first, *later = steps
        if first.step is Step.POWEROFF:
            return LEAST_POWEROFF
        about = UNKNOWN_SHARE * self.deadline if first.estimate is None else first.estimate
        keep = sum(self._reserve(step) for step in later)
        keep += self.ending if first.step is Step.SAVE else 0.0
        return min(first.timeout, MARGIN * about) + keep

    def why_left_out(self, planned: StepPlan, limit: float) -> str:
        """Why a step that may take so long is not begun; empty where it is.

        A save that is cut off was in vain; a guest may follow a request sooner than ever before.
        """
        if limit <= 0:
            return "no time left before the run's deadline"
        about = planned.estimate if planned.step is Step.SAVE else None
        if about is not None and limit < min(about, planned.timeout):
            return f"it takes about {about:.0f}s, and {limit:.0f}s are left for it"
        return ""

    def fitted(self, plan: GuestPlan) -> GuestPlan:
        """The plan with its limits as this deadline cuts them, where it begins at once."""
        left, steps, left_out = self.deadline, [], list(plan.left_out)
        for number, planned in enumerate(plan.steps):
            limit = self.allowance(planned, plan.steps[number + 1 :], left)
            if reason := self.why_left_out(planned, limit):
                left_out.append((planned.step, reason))
                continue
            steps.append(replace(planned, timeout=limit))
            left = max(0.0, left - limit)
        if plan.steps and not steps:
            return replace(plan, steps=(), outcome=Outcome.FAILED, reason=left_out[-1][1])
        return replace(plan, steps=tuple(steps), left_out=tuple(left_out))

    def _reserve(self, planned: StepPlan) -> float:
        if planned.step is Step.SHUTDOWN:
            return min(planned.timeout, SHUTDOWN_SHARE * self.deadline)
        return min(POWEROFF, POWEROFF_SHARE * self.deadline)
