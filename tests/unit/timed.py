"""Runs in time that tests make: guests with steps, and how long each takes."""

from __future__ import annotations

from guestctl.decisions.budget import Budget
from guestctl.decisions.sequence import Sequence
from guestctl.decisions.timeline import timeline_down
from guestctl.model.plan import Basis, GuestPlan, Plan, RunKind, Step, StepPlan
from guestctl.model.timeline import TimedGuest
from tests.unit.makers import guest

GIB = 2**30
SAVE, SHUTDOWN, POWEROFF = Step.SAVE, Step.SHUTDOWN, Step.POWEROFF
TIMEOUTS = {SAVE: 600.0, SHUTDOWN: 90.0, POWEROFF: 60.0}
LONG = Budget(1500.0)


def planned(number: int, **estimates: float | None) -> GuestPlan:
    """A plan with these steps and how long each takes; with a poweroff in the end."""
    steps = [
        StepPlan(Step(step), TIMEOUTS[Step(step)], seconds, Basis.OWN if seconds else None)
        for step, seconds in estimates.items()
    ]
    facts = guest(f"g{number}", number, memory=GIB)
    return GuestPlan(facts, (*steps, StepPlan(POWEROFF, TIMEOUTS[POWEROFF])))


def down(
    *plans: GuestPlan,
    order: Sequence | None = None,
    parallel: int = 16,
    budget: Budget = LONG,
    left: float | None = None,
    shutdowns: int | None = None,
) -> list[TimedGuest]:
    """When each is taken down."""
    plan = Plan(RunKind.PRESERVE, plans)
    order = order or Sequence()
    return list(timeline_down(plan, parallel, budget, order, left, shutdowns).guests)
