"""When a stop has settled, whatever the time of day is set to meanwhile."""

from __future__ import annotations

import pytest

from guestctl.decisions.settling import remaining
from guestctl.model.instant import Instant
from guestctl.model.record import turned_off
from guestctl.model.stop import StoppedBy
from tests.unit.makers import BOOT, EARLIER_BOOT, recorded

HOUR = 3600 * 10**9
STOPPED = turned_off(recorded(), StoppedBy.USER, Instant(100 * HOUR, BOOT, 5 * 10**9))


@pytest.mark.parametrize("jump", [0, -3 * HOUR, 24 * HOUR])
def test_a_stop_settles_after_its_time(jump: int) -> None:
    now = Instant(100 * HOUR + jump, BOOT, 25 * 10**9)
    assert remaining(STOPPED, 90.0, now) == 70.0


def test_a_stop_of_which_nobody_knows_when_it_was_has_all_its_time() -> None:
    now = Instant(100 * HOUR, BOOT, 500 * 10**9)
    before = turned_off(recorded(), StoppedBy.USER, Instant(0, EARLIER_BOOT, 0))
    assert [remaining(record, 90.0, now) for record in (before, recorded())] == [90.0, 90.0]
