"""How long a preserve takes: limits cut by its deadline, and what earlier runs took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestctl.cli import show
from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Shutdown
from guestctl.decisions.budget import Budget
from guestctl.decisions.duration import Duration, duration_of
from guestctl.decisions.host_facts import HostFacts, plan_of, timeline_of, with_deadline
from guestctl.decisions.timeline import timeline_down
from guestctl.model.guest import GuestFacts
from guestctl.model.history import PastShutdown
from guestctl.model.options import Scope
from guestctl.model.plan import GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from guestctl.model.save import SaveRecord, SaveState
from tests.unit.makers import BOOT, URI, guest, guest_id

GIB = 2**30
SAVE, SHUTDOWN, POWEROFF = Step.SAVE, Step.SHUTDOWN, Step.POWEROFF


def plan(number: int, *estimates: tuple[Step, float | None]) -> GuestPlan:
    steps = tuple(StepPlan(step, 600.0, estimate) for step, estimate in estimates)
    return GuestPlan(guest(f"g{number}", number), steps)


def total(*plans: GuestPlan, parallel: int = 2) -> Duration:
    plan = Plan(RunKind.PRESERVE, plans)
    return duration_of(timeline_down(plan, parallel, Budget(100.0)))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ((SAVE, 4.0), "in all: about 7s; at most 115s"),
        ((SAVE, None), "in all: at least 7s; nothing is known yet of 1 of 2 guests; at most 115s"),
    ],
)
def test_what_nobody_knows_of_can_only_make_it_longer(
    second: tuple[Step, float | None], said: str
) -> None:
    run = Plan(RunKind.PRESERVE, (plan(1, (SAVE, 7.0)), plan(2, second)))
    assert show.in_all(timeline_down(run, 2, Budget(100.0))) == f"{said}\n"


def test_saves_wait_for_slots_and_shutdowns_do_not() -> None:
    saves = [plan(n, (SAVE, 10.0), (SHUTDOWN, 90.0)) for n in range(3)]
    assert total(*saves) == Duration(20.0, 0, 115.0)
    assert total(*saves, parallel=3) == Duration(10.0, 0, 115.0)
    assert total(*saves, plan(7, (SHUTDOWN, 45.0))) == Duration(45.0, 0, 115.0)


def test_all_of_a_run_is_told_where_all_guests_are_known() -> None:
    """Ten guests that are asked at the same time do not take ten times as long."""
    asked = [plan(n, (SHUTDOWN, 45.0)) for n in range(10)]
    assert total(*asked).whole == 45.0
    assert total(*asked, plan(11, (SHUTDOWN, None))).whole is None
    assert total().whole is None


def test_guests_of_which_nothing_is_known_are_counted() -> None:
    unknown = plan(1, (SAVE, None), (SHUTDOWN, 3.0))
    assert total(unknown) == Duration(None, 1, 115.0)
    assert total(unknown, plan(2, (SAVE, 7.0))) == Duration(7.0, 1, 115.0)


def test_nothing_to_do_takes_no_time() -> None:
    assert total(GuestPlan(guest(), outcome=Outcome.SKIPPED)) == Duration(0.0, 0, 0.0)


def facts(*guests: GuestFacts, config: Config | None = None, saved_in: float = 60.0) -> HostFacts:
    """Of a host whose guests were saved and shut down before."""
    saves = [
        SaveRecord(one.id, one.memory, "", saved_in, SaveState.RESUMED, None) for one in guests
    ]
    past = [PastShutdown(one.id, seconds) for one in guests for seconds in (5.0, 20.0, 8.0, 9.0)]
    made = HostFacts(BOOT, 0, (URI,), True, True, config or Config(), guests=guests)
    return replace(made, saves=tuple(saves), shutdowns=tuple(past))


WEB = guest(memory=GIB)


def test_a_shutdown_takes_as_long_as_the_slowest_of_the_last_ones() -> None:
    (found,) = plan_of(facts(WEB)).guests
    assert [(one.step, one.estimate) for one in found.steps] == [
        (SAVE, 60.0),
        (SHUTDOWN, 20.0),
        (POWEROFF, None),
    ]


@pytest.mark.parametrize(
    ("within", "steps", "left_out"),
    [
        (None, {SAVE: 600.0, SHUTDOWN: 90.0, POWEROFF: 60.0}, {}),
        (180.0, {SAVE: 87.0, SHUTDOWN: 63.0, POWEROFF: 30.0}, {}),
        (60.0, {SHUTDOWN: 42.0, POWEROFF: 18.0}, {SAVE: "it takes about 60s, and 21s are left"}),
    ],
)
def test_a_deadline_cuts_limits_as_the_run_does(
    within: float | None, steps: dict[Step, float], left_out: dict[Step, str]
) -> None:
    (found,) = plan_of(with_deadline(facts(WEB), within)).guests
    assert {one.step: one.timeout for one in found.steps} == pytest.approx(steps)
    reasons = dict(found.left_out)
    assert reasons.keys() == left_out.keys()
    assert all(words in reasons[step] for step, words in left_out.items())


def test_what_has_no_time_at_all_is_said_to_fail() -> None:
    spared = GuestOverride("web", {"poweroff": Scope.NONE, "shutdown": Scope.NONE})
    short = Config(shutdown=Shutdown(deadline=20.0), guests=(spared,))
    (found,) = plan_of(facts(WEB, config=short)).guests
    assert (found.steps, found.outcome) == ((), Outcome.FAILED)
    assert "it takes about 60s" in found.reason


def test_a_short_shutdown_is_tried_all_the_same() -> None:
    """It may be quicker than ever before; a save that is cut off was in vain."""
    budget = Budget(100.0)
    assert budget.why_left_out(StepPlan(SHUTDOWN, 90.0, 60.0), 5.0) == ""
    assert "about 60s" in budget.why_left_out(StepPlan(SAVE, 90.0, 60.0), 5.0)
    assert "no time" in budget.why_left_out(StepPlan(SHUTDOWN, 90.0), 0.0)


def test_the_total_goes_by_what_is_planned() -> None:
    two = facts(WEB, guest("db", 2, memory=GIB), config=Config(shutdown=Shutdown(parallel=1)))
    assert duration_of(timeline_of(two)) == Duration(120.0, 0, 1515.0)
    assert guest_id(2) in {one.guest.id for one in plan_of(two).guests}
