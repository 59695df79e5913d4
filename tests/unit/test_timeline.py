"""A run in time: nobody's order is lost without a word, nobody's steps without a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from math import inf

from guestctl.config.settings import Order
from guestctl.decisions.budget import Budget
from guestctl.decisions.sequence import Sequence, sequence_of
from guestctl.decisions.timeline import NO_SLOT, longest_first, timeline_up
from guestctl.model.guest import GuestId
from guestctl.model.plan import Basis, Estimate, GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from guestctl.model.result import StepEnd
from tests.unit.makers import guest, guest_id
from tests.unit.timed import SAVE, SHUTDOWN, down, planned


def chain(*plans: GuestPlan) -> Sequence:
    """Each comes up after the one before it, and so goes down before that one."""
    wishes = {
        after.guest.id: Order(after=(before.guest.name,)) for before, after in pairwise(plans)
    }
    return sequence_of([plan.guest for plan in plans], wishes)


# By example


def test_saves_wait_for_slots_the_longest_first() -> None:
    short, long, middle = (planned(n, save=s) for n, s in ((1, 10.0), (2, 40.0), (3, 20.0)))
    timed = down(short, long, middle, parallel=2)
    assert [(one.begins, one.ends) for one in timed] == [(20.0, 30.0), (0.0, 40.0), (0.0, 20.0)]
    assert all(one.fits for one in timed)


def test_who_keeps_many_waiting_is_first_however_short_its_own_save() -> None:
    base, app, other = planned(1, shutdown=50.0), planned(2, save=1.0), planned(3, save=30.0)
    order = chain(base, app)
    first, *_ = longest_first((base, app, other), order)
    assert first is app
    timed = down(base, app, other, order=order, parallel=1)
    assert [one.begins for one in timed] == [0.0, 0.0, 1.0]


def test_a_save_lets_others_pass_as_it_begins_and_a_shutdown_once_it_is_over() -> None:
    for steps, begins in (({"save": 60.0}, [0.0, 0.0]), ({"shutdown": 60.0}, [60.0, 0.0])):
        db, app = planned(1, **steps), planned(2, **steps)
        timed = down(db, app, order=chain(db, app))
        assert [one.begins for one in timed] == begins
        assert not any(one.passed for one in timed)


def test_an_order_that_there_is_no_time_for_is_given_up_for_those_that_go_first() -> None:
    plans = [planned(n, shutdown=20.0) for n in range(1, 5)]
    base, db, app, web = down(*plans, order=chain(*plans), budget=Budget(180.0))
    assert (web.begins, app.begins, app.passed) == (0.0, 0.0, (web.guest,))
    assert (db.begins, db.passed, base.passed) == (20.0, (), ())
    assert base.begins == db.ends
    assert all(one.outcome is Outcome.SHUT_DOWN for one in (base, db, app, web))


def test_plugs_wait_for_one_another_only_as_long_as_the_last_may_take_its_longest() -> None:
    """libvirt kills a QEMU after 10 s, which comes out at 15; usually it takes 2."""
    db, app = planned(1), planned(2)
    for deadline, passed in ((18.0, ()), (16.5, (app.guest.id,))):
        first, last = down(db, app, order=chain(db, app), budget=Budget(deadline))
        assert (first.passed, last.passed) == (passed, ())


def test_saves_of_a_chain_cost_no_order_however_short_the_time() -> None:
    plans = [planned(n, save=60.0, shutdown=5.0) for n in range(1, 13)]
    timed = down(*plans, order=chain(*plans), budget=Budget(300.0))
    assert {one.begins for one in timed} == {0.0}
    assert not any(one.passed for one in timed)


def test_a_save_that_does_not_fit_is_left_out_and_the_next_step_said() -> None:
    (timed,) = down(planned(1, save=60.0, shutdown=5.0), budget=Budget(60.0))
    assert [(step.step, step.end) for step in timed.steps] == [
        (SAVE, StepEnd.LEFT_OUT),
        (SHUTDOWN, StepEnd.DONE),
    ]
    assert "about 60s" in timed.steps[0].reason
    assert (timed.outcome, timed.ends, timed.fits) == (Outcome.SHUT_DOWN, 5.0, False)


def test_who_gets_no_slot_in_time_goes_on_to_its_next_step() -> None:
    plans = [planned(n, save=40.0, shutdown=5.0) for n in range(1, 5)]
    timed = down(*plans, parallel=1, budget=Budget(200.0))
    left_out = [one for one in timed if one.steps[0].end is StepEnd.LEFT_OUT]
    assert left_out
    assert {one.steps[0].reason for one in left_out} == {NO_SLOT}
    assert all(one.outcome is Outcome.SHUT_DOWN for one in left_out)
    assert max(one.ends for one in timed) <= 200.0


def test_a_shutdown_that_is_too_slow_is_followed_by_a_poweroff() -> None:
    (timed,) = down(planned(1, shutdown=80.0), budget=Budget(40.0))
    assert [step.end for step in timed.steps] == [StepEnd.TIMED_OUT, StepEnd.DONE]
    assert (timed.outcome, timed.fits) == (Outcome.POWERED_OFF, False)


def test_who_has_no_step_left_is_said_to_be_still_up() -> None:
    only_saved = replace(planned(1, save=60.0), steps=planned(1, save=60.0).steps[:1])
    (timed,) = down(only_saved, budget=Budget(30.0))
    assert (timed.outcome, timed.begins) == (Outcome.FAILED, None)


def test_what_is_not_known_is_a_default_that_is_said_to_be_one() -> None:
    (timed,) = down(planned(1, save=None, shutdown=None))
    assert (timed.steps[0].estimate.basis, timed.is_guess) == (Basis.DEFAULT, True)
    assert timed.begins == 0.0
    assert timed.ends > 0.0


def test_shutdowns_wait_until_fewer_go_on() -> None:
    plans = [planned(n, shutdown=seconds) for n, seconds in enumerate((30.0, 20.0, 10.0))]
    timed = down(*plans, shutdowns=2)
    assert [(one.begins, one.ends) for one in timed] == [(0.0, 30.0), (0.0, 20.0), (20.0, 30.0)]
    assert all(one.fits for one in timed)


def test_where_no_time_is_left_to_wait_for_that_nobody_does() -> None:
    """Each begins as long before the end as it needs: one and a half times 10 s, and its plug."""
    plans = [planned(n, shutdown=10.0) for n in range(12)]
    timed = down(*plans, shutdowns=1, budget=Budget(100.0))
    crowded = [one for one in timed if one.crowded]
    in_turn = sorted(one.begins or 0.0 for one in timed if not one.crowded)
    assert in_turn == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    assert {one.begins for one in crowded} == {55.0}
    assert (len(crowded), any(one.fits for one in crowded)) == (6, False)
    assert all(one.outcome is Outcome.SHUT_DOWN for one in timed)


def test_who_has_others_behind_it_waits_only_as_long_as_they_have_time_as_well() -> None:
    slow, db, app = (planned(n, shutdown=it) for n, it in ((1, 60.0), (2, 10.0), (3, 10.0)))
    order = sequence_of([p.guest for p in (slow, db, app)], {guest_id(3): Order(after=("g2",))})
    timed = down(slow, db, app, order=order, shutdowns=1, budget=Budget(130.0))
    assert [(one.begins, one.crowded) for one in timed] == [
        (0.0, False),
        (60.0, False),
        (40.0, True),
    ]


def test_a_save_that_is_left_out_waits_for_its_shutdown_as_others_do() -> None:
    plans = [planned(n, save=60.0, shutdown=5.0) for n in (1, 2)]
    timed = down(*plans, shutdowns=1, budget=Budget(60.0))
    assert [one.ends for one in timed] == [5.0, 10.0]


def test_without_a_limit_of_its_own_a_step_has_what_later_ones_leave() -> None:
    endless = replace(planned(1, shutdown=80.0), steps=(StepPlan(SHUTDOWN, inf, 80.0),))
    assert down(endless, budget=Budget(100.0))[0].outcome is Outcome.SHUT_DOWN
    (step,) = Budget(100.0).fitted(endless).steps
    assert step.timeout == 100.0


def test_what_is_left_of_the_deadline_as_the_run_begins_counts() -> None:
    (timed,) = down(planned(1, save=60.0, shutdown=5.0), left=50.0)
    assert timed.steps[0].end is StepEnd.LEFT_OUT


def test_guests_with_nothing_to_do_keep_nobody_waiting() -> None:
    idle = GuestPlan(guest("g2", 2), outcome=Outcome.FAILED, reason="no step")
    db = planned(1, shutdown=5.0)
    order = sequence_of([db.guest, idle.guest], {idle.guest.id: Order(after=("g1",))})
    (timed,) = down(db, idle, order=order)
    assert (timed.begins, timed.passed) == (0.0, ())


def up(
    count: int, parallel: int, delays: Mapping[GuestId, float], order: Sequence | None = None
) -> list[float | None]:
    steps = (StepPlan(Step.START, 300.0, 10.0),)
    plans = tuple(GuestPlan(guest(f"g{n}", n), steps) for n in range(count))
    plan = Plan(RunKind.RESTORE, plans)
    timed = timeline_up(plan, parallel, order or Sequence(), delays)
    return [one.begins for one in timed.guests]


def test_starts_have_slots_pauses_and_an_order() -> None:
    assert up(4, 2, {}) == [0.0, 0.0, 10.0, 10.0]
    assert up(3, 4, {guest_id(0): 3.0, guest_id(1): 1.0}) == [0.0, 3.0, 4.0]
    order = sequence_of(
        [guest(f"g{n}", n) for n in range(3)], {guest_id(0): Order(after=("g1", "g2"))}
    )
    assert up(3, 4, {}, order) == [10.0, 0.0, 0.0]


def test_those_after_a_guest_wait_until_it_is_ready_and_others_do_not() -> None:
    order = sequence_of([guest(f"g{n}", n) for n in range(2)], {guest_id(1): Order(after=("g0",))})
    steps = (StepPlan(Step.START, 300.0, 10.0),)
    plan = Plan(RunKind.RESTORE, tuple(GuestPlan(guest(f"g{n}", n), steps) for n in range(3)))
    timed = timeline_up(plan, 1, order, settles={guest_id(0): Estimate(30.0, Basis.OWN)})
    assert [one.begins for one in timed.guests] == [0.0, 40.0, 10.0]
    assert [one.ends for one in timed.guests] == [40.0, 50.0, 20.0]
