"""By whichever orderly door a host goes down: its guests are safe, and back after the boot."""

from __future__ import annotations

import time

import pytest

from tests.host.stage import BACK, IGNORES, NAMES, SAFE, SAVED, SLOW
from tests.host.support import (
    boots_of,
    journal_since,
    lived_once,
    newest_ticks,
    outcomes,
    wait_restored,
    went_on,
)
from tests.testbed.console import boots
from tests.testbed.doors import DOORS, Door, pass_through
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts


@pytest.fixture
def door(request: pytest.FixtureRequest, suite: str) -> Door:
    """The door, where that generation has it."""
    door: Door = request.param
    if suite not in door.suites:
        pytest.skip(f"{suite} has no {door.command}")
    return door


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.command, indirect=True)
def test_all_are_back(door: Door, host: Host) -> None:
    ticks = newest_ticks(host, NAMES)
    lives = {name: len(boots(host.console(name))) for name in NAMES}
    begun = time.time_ns()
    pass_through(host, door)
    wait_restored(host)

    assert outcomes(host, "preserve", begun) == SAFE
    assert outcomes(host, "restore", begun) == BACK
    for spec in SAVED:
        assert went_on(host, spec.name, ticks[spec.name])
    for spec in (SLOW, IGNORES):
        assert len(boots_of(host, spec.name)) == lives[spec.name] + 1
    assert all(lived_once(host, name) for name in NAMES)
    assert "turned off by" not in journal_since(host, begun)
