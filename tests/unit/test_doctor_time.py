"""The doctor's check of whether the deadline has time for all that guests should have."""

from __future__ import annotations

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.decisions import checks_time
from guestctl.decisions.doctor import examine
from guestctl.model.finding import Finding
from guestctl.model.history import PastShutdown
from guestctl.model.options import Scope
from tests.unit.healthy import facts, healthy
from tests.unit.makers import guest, guest_id

GUESTS = tuple(guest(f"g{number}", number) for number in range(1, 5))
#: Each of them took so long before.
PAST = tuple(PastShutdown(guest_id(number), 20.0) for number in range(1, 5))


def found(
    shutdown: Shutdown, past: tuple[PastShutdown, ...] = PAST, **ups: object
) -> list[Finding]:
    profiles = {"reboot": ups} if ups else {}
    config = Config(shutdown=shutdown, profiles=profiles)
    state = healthy(facts=facts(config=config, guests=GUESTS, shutdowns=past))
    return examine(state, checks=checks_time.CHECKS)


def one_at_a_time(deadline: float) -> Shutdown:
    return Shutdown(save=Scope.NONE, parallel_shutdowns=1, deadline=deadline)


def test_where_there_is_time_nothing_is_said() -> None:
    assert found(one_at_a_time(300.0)) == []


def test_who_has_no_time_to_wait_for_the_others_is_named() -> None:
    (finding,) = found(one_at_a_time(110.0))
    assert "no time for all that guests should have, within 110s: g" in finding.text
    assert finding.command == "guestctl plan"
    assert "does not wait for others to shut down" in finding.evidence[0]


def test_of_a_profile_of_the_host_as_well() -> None:
    (finding,) = found(one_at_a_time(300.0), deadline=30.0)
    assert finding.command == "guestctl plan --profile reboot"


@pytest.mark.parametrize("deadline", [30.0, 110.0])
def test_a_guess_is_no_reason_to_worry(deadline: float) -> None:
    assert found(one_at_a_time(deadline), past=()) == []


def test_nor_is_what_others_took() -> None:
    """A guest that was never shut down need not be as slow as another one."""
    assert found(one_at_a_time(110.0), past=(PastShutdown(guest_id(9), 20.0),)) == []
