"""How long a restore takes: readiness as it was seen of each guest, else a guess."""

from __future__ import annotations

from dataclasses import replace

from guestctl.config.config import Config, GuestOverride
from guestctl.decisions.duration import duration_of
from guestctl.decisions.forecast import StartForecast
from guestctl.decisions.restore_time import restore_in_time
from guestctl.model.history import PastStart
from guestctl.model.plan import Basis, Estimate, GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from guestctl.model.readiness import AgentAnswers, HasRun, Rule
from guestctl.model.timeline import Timeline
from tests.unit.makers import guest_id, off

AGENT, DELAY = AgentAnswers(), HasRun(20.0)


def in_time(ready: tuple[Rule, ...], *past: PastStart) -> Timeline:
    """db is asked whether it is ready, app comes after it."""
    wishes = (
        GuestOverride("db", {"ready": ready, "ready_timeout": 60.0}),
        GuestOverride("app", {"after": ("db",)}),
    )
    steps = (StepPlan(Step.START, 300.0),)
    plans = (GuestPlan(off("db", 1), steps), GuestPlan(off("app", 2), steps))
    gone = GuestPlan(off("gone", 3), outcome=Outcome.GONE)
    started = (PastStart(guest_id(1), Step.START, 2.0), PastStart(guest_id(2), Step.START, 2.0))
    plan = Plan(RunKind.RESTORE, (*plans, gone))
    return restore_in_time(plan, Config(guests=wishes), StartForecast((*started, *past)))


def started(ready: float | None, step: Step = Step.START) -> PastStart:
    return PastStart(guest_id(1), step, 2.0, ready)


def test_how_long_it_took_to_be_ready_counts() -> None:
    found = in_time((AGENT,), started(40.0))
    assert [(one.begins, one.ends) for one in found.guests] == [(0.0, 42.0), (42.0, 44.0)]
    assert duration_of(found).whole == 44.0


def test_where_nothing_is_known_of_that_no_end_is_told() -> None:
    for past in ((), (started(None),), (started(9.0, Step.RESUME),)):
        found = in_time((AGENT,), *past)
        assert found.guests[0].settles == Estimate(0.0, Basis.DEFAULT)
        assert found.guests[1].begins == 2.0
        assert duration_of(found).whole is None


def test_a_delay_is_known_beforehand_and_is_the_least() -> None:
    assert in_time((DELAY,)).guests[0].settles == Estimate(20.0, Basis.OWN)
    assert in_time((DELAY, AGENT)).guests[0].settles == Estimate(20.0, Basis.DEFAULT)
    assert in_time((DELAY, AGENT), started(5.0)).guests[0].settles == Estimate(20.0, Basis.OWN)


def test_nobody_is_waited_for_longer_than_its_limit() -> None:
    assert in_time((AGENT,), started(90.0)).guests[0].settles == Estimate(60.0, Basis.OWN)
    long = replace(DELAY, seconds=100.0)
    assert in_time((long, AGENT), started(200.0)).guests[0].settles == Estimate(100.0, Basis.OWN)


def test_nothing_is_asked_of_the_others() -> None:
    assert in_time((), started(40.0)).guests[0].settles is None
