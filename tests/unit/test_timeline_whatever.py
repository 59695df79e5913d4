"""A run in time, whatever guests there are."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.settings import Order
from guestctl.decisions.budget import Budget
from guestctl.decisions.sequence import Sequence, sequence_of
from guestctl.decisions.timeline import timeline_down, timeline_up
from guestctl.model.guest import GuestId
from guestctl.model.plan import GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from guestctl.model.result import StepEnd
from guestctl.model.timeline import TimedGuest
from tests.unit.makers import guest
from tests.unit.timed import GIB, LONG, POWEROFF, SAVE, SHUTDOWN, down, planned

estimates = st.none() | st.floats(0.5, 300.0)
steps_of = st.builds(
    lambda first, save, shutdown: (
        StepPlan(SAVE, 600.0, save),
        StepPlan(SHUTDOWN, 90.0, shutdown),
        StepPlan(POWEROFF, 60.0),
    )[first:],
    st.integers(0, 2),
    estimates,
    estimates,
)
wishes = st.builds(
    Order,
    after=st.lists(st.sampled_from([f"g{n}" for n in range(10)]), max_size=3).map(tuple),
    order=st.none() | st.integers(0, 3),
)
hosts = st.lists(st.tuples(steps_of, wishes), max_size=10)


def _host(rows: list[tuple[tuple[StepPlan, ...], Order]]) -> tuple[Plan, Sequence]:
    guests = [guest(f"g{n}", n, memory=GIB) for n in range(len(rows))]
    plans = [GuestPlan(one, steps) for one, (steps, _) in zip(guests, rows, strict=True)]
    wished = {one.id: wish for one, (_, wish) in zip(guests, rows, strict=True)}
    return Plan(RunKind.PRESERVE, tuple(plans)), sequence_of(guests, wished)


def _through(one: TimedGuest) -> float:
    """When others need not wait for it any more."""
    saves = [step for step in one.begun if step.step is SAVE]
    return saves[0].begins if saves else one.ends


def _all_before(order: Sequence, guest_: GuestId) -> set[GuestId]:
    """Guests that go down directly before this one, over levels however far."""
    graph, found, left = order.backwards(), set[GuestId](), [*order.backwards()[guest_]]
    while left:
        node = left.pop()
        if isinstance(node, GuestId):
            found.add(node)
        else:
            left += graph[node]
    return found


@given(
    hosts,
    st.integers(1, 4),
    st.floats(10.0, 1500.0),
    st.floats(0.0, 1.0),
    st.none() | st.integers(1, 3),
)
def test_every_order_and_limit_is_kept_or_given_up_in_words_and_everybody_has_its_steps(
    rows: list[tuple[tuple[StepPlan, ...], Order]],
    parallel: int,
    deadline: float,
    part: float,
    shutdowns: int | None,
) -> None:
    plan, order = _host(rows)
    budget, left = Budget(deadline), deadline * part
    timeline = timeline_down(plan, parallel, budget, order, left, shutdowns)
    timed = {one.guest: one for one in timeline.guests}
    assert [one.guest for one in timeline.guests] == [p.guest.id for p in plan.guests]
    for planned_ in plan.guests:
        one = timed[planned_.guest.id]
        tried = [step.step for step in one.steps]
        assert tried == [step.step for step in planned_.steps][: len(tried)]
        assert all(step.reason for step in one.steps if step.end is not StepEnd.DONE)
        assert one.outcome is not Outcome.FAILED or len(tried) == len(planned_.steps)
        assert one.outcome is Outcome.FAILED or one.steps[-1].end is StepEnd.DONE
        for other in _all_before(order, planned_.guest.id):
            assert _through(timed[other]) <= one.turn or one.passed
    assert _most_at_once(timeline.guests, SAVE) <= parallel
    in_turn = [one for one in timeline.guests if not one.crowded]
    assert _most_at_once(in_turn, SHUTDOWN) <= (shutdowns or len(rows))


def _most_at_once(guests: Iterable[TimedGuest], step: Step) -> int:
    begun = [one for guest_ in guests for one in guest_.begun if one.step is step]
    return max(
        (sum(o.begins <= s.begins < o.ends for o in begun) for s in begun if s.seconds), default=0
    )


@given(st.lists(st.floats(0.1, 500.0), min_size=1, max_size=40), st.integers(1, 16))
def test_the_whole_is_within_the_bounds_of_scheduling_the_longest_first(
    seconds: list[float], parallel: int
) -> None:
    """Graham 1969: at most 4/3 - 1/3m of the best, which is no less than these two."""
    plans = [planned(n, save=one) for n, one in enumerate(seconds)]
    whole = max(one.ends for one in down(*plans, parallel=parallel, budget=Budget(1e7)))
    least = max(*seconds, sum(seconds) / parallel)
    assert least - 1e-6 <= whole
    assert whole <= sum(seconds) / parallel + max(seconds) * (1 - 1 / parallel) + 1e-6


@given(hosts, st.integers(1, 4))
def test_up_nobody_begins_before_those_that_it_comes_after_are_up(
    rows: list[tuple[tuple[StepPlan, ...], Order]], parallel: int
) -> None:
    plan, order = _host(rows)
    starts = tuple(
        replace(p, steps=(StepPlan(Step.START, 300.0, p.steps[0].estimate),)) for p in plan.guests
    )
    timed = timeline_up(Plan(RunKind.RESTORE, starts), parallel, order)
    ends = {one.guest: one.ends for one in timed.guests}
    for one in timed.guests:
        assert one.begins is not None
        assert all(ends[before] <= one.begins for before in order.wished(one.guest))


@pytest.mark.parametrize(("count", "limit"), [(1000, 1.0), (5000, 5.0)])
def test_thousands_of_guests_take_well_under_a_second(count: int, limit: float) -> None:
    """0.04 s and 0.5 s; the limits have room for a machine with other work."""
    dice = random.Random(count)
    guests = [guest(f"g{n:04}", n, memory=GIB * dice.randint(1, 16)) for n in range(count)]
    wished = {
        one.id: Order(
            after=tuple(f"g{dice.randrange(count):04}" for _ in range(dice.randrange(4))),
            order=dice.randrange(10),
        )
        for one in guests
    }
    steps = (StepPlan(SAVE, 600.0), StepPlan(SHUTDOWN, 90.0), StepPlan(POWEROFF, 60.0))
    plan = Plan(RunKind.PRESERVE, tuple(GuestPlan(g, steps[n % 2 :]) for n, g in enumerate(guests)))
    order = sequence_of(guests, wished)
    begun = time.process_time()
    timeline = timeline_down(plan, 16, LONG, order)
    assert time.process_time() - begun < limit
    assert len(timeline.guests) == count
