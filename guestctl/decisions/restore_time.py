"""A run that brings guests up in time, going by earlier starts of them.  Pure."""

from __future__ import annotations

from dataclasses import replace

from ..config.config import Config
from ..model.guest import GuestId
from ..model.plan import Basis, Estimate, GuestPlan, Plan, StepPlan
from ..model.readiness import HasRun
from ..model.timeline import Timeline
from .forecast import StartForecast
from .policy import Policy, resolve
from .sequence import sequence_for
from .timeline import timeline_up


def restore_in_time(plan: Plan, config: Config, forecast: StartForecast) -> Timeline:
    """The plan in time, its guests having the host to themselves."""
    coming = [planned for planned in plan.guests if planned.outcome is None]
    policies = {planned.guest.id: resolve(config, planned.guest) for planned in coming}
    timed = tuple(_estimated(planned, forecast) for planned in coming)
    return timeline_up(
        replace(plan, guests=timed),
        config.boot.parallel,
        sequence_for(config, (planned.guest for planned in coming)),
        {guest: policy.boot.start_delay for guest, policy in policies.items()},
        _settle(timed, policies, forecast),
    )


def _estimated(planned: GuestPlan, forecast: StartForecast) -> GuestPlan:
    def with_estimate(step: StepPlan) -> StepPlan:
        seconds, basis = forecast.estimate(planned.guest, step.step) or (None, None)
        return replace(step, estimate=seconds, basis=basis)

    return replace(planned, steps=tuple(map(with_estimate, planned.steps)))


def _settle(
    plans: tuple[GuestPlan, ...], policies: dict[GuestId, Policy], forecast: StartForecast
) -> dict[GuestId, Estimate]:
    """How long each takes until it is ready once it runs, where anything is asked of it."""
    asked = [planned for planned in plans if policies[planned.guest.id].order.ready]
    return {
        planned.guest.id: _settles(planned, policies[planned.guest.id], forecast)
        for planned in asked
    }


def _settles(planned: GuestPlan, policy: Policy, forecast: StartForecast) -> Estimate:
    """What was seen of it, and at least the `delay` that its rules ask for; without the one or the
    other a guess, since what else shows that it is ready takes a time that nobody knows."""
    rules = policy.order.ready
    delay = max((rule.seconds for rule in rules if isinstance(rule, HasRun)), default=0.0)
    seen = forecast.ready_after(planned.guest.id, planned.steps[0].step)
    known = seen is not None or all(isinstance(rule, HasRun) for rule in rules)
    basis = Basis.OWN if known else Basis.DEFAULT
    return Estimate(min(max(delay, seen or 0.0), max(delay, policy.order.ready_timeout)), basis)
