"""How fast saves were, by how many went on at a time."""

from __future__ import annotations

import pytest

from guestctl.decisions.forecast import SaveForecast, share_storage
from guestctl.decisions.save_speed import SaveSpeeds
from guestctl.model.plan import Basis, GuestPlan, Step, StepPlan
from guestctl.model.save import SaveRecord, SaveState
from tests.unit.makers import URI, guest, guest_id

MIB = 2**20
OTHER = "lxc:///"


def saved(number: int, run: int | None, seconds: float, memory: int = 100 * MIB) -> SaveRecord:
    return SaveRecord(guest_id(number), memory, "", seconds, SaveState.DONE, None, run)


#: One guest alone at 100 MiB/s; then four at a time, each at 25 MiB/s.
ALONE = saved(1, 1, 1.0)
FOUR = tuple(saved(number, 2, 4.0) for number in (2, 3, 4, 5))
PAST = (ALONE, *FOUR)


@pytest.mark.parametrize(
    ("at_a_time", "speed"),
    [(1, 100), (4, 25), (7, 25), (8, 25), (0, 25)],
    ids=["alone", "four", "about four", "never so many: all of them", "not known: all of them"],
)
def test_the_usual_speed_is_that_with_as_many(at_a_time: int, speed: int) -> None:
    assert SaveSpeeds(PAST, 4).usual(at_a_time) == speed * MIB


def test_an_own_save_takes_as_much_longer_as_those_of_others() -> None:
    speeds = SaveSpeeds(PAST, 4)
    assert speeds.seconds_now(ALONE, 4) == 4.0
    assert speeds.seconds_now(FOUR[0], 1) == 1.0
    assert speeds.seconds_now(FOUR[0], 4) == 4.0


def test_nothing_is_reckoned_where_nobody_tells() -> None:
    """Else a guest that was saved alone would lose its save to a guess."""
    assert SaveSpeeds((ALONE,), 4).seconds_now(ALONE, 4) == 1.0
    unknown = saved(1, None, 2.0)
    assert SaveSpeeds((*PAST, unknown), 4).seconds_now(unknown, 4) == 2.0


def test_no_more_go_on_at_a_time_than_there_are_slots() -> None:
    assert SaveSpeeds(FOUR, 1).usual(1) == 25 * MIB


def plan(number: int, uri: str = URI) -> GuestPlan:
    it = guest(f"g{number}", number, id=guest_id(number, uri), memory=100 * MIB)
    return GuestPlan(it, (StepPlan(Step.SAVE, 600.0), StepPlan(Step.POWEROFF, 60.0)))


def test_those_of_one_connection_share_its_storage() -> None:
    plans = [plan(2), plan(3), plan(4), plan(9, OTHER)]
    shared = share_storage(plans, SaveForecast(PAST, parallel=2))
    first = [planned.steps[0] for planned in shared]
    assert [step.at_a_time for step in first] == [2, 2, 2, 1]
    assert [step.basis for step in first] == [Basis.OWN] * 3 + [Basis.LIKE]
    assert all(planned.steps[1] == StepPlan(Step.POWEROFF, 60.0) for planned in shared)
