"""By whichever orderly door a host goes down: its guests are safe, and back after the boot."""

from __future__ import annotations

import pytest

from tests.host.stage import DOZEN
from tests.host.support import assert_back, journal_since, look, outcomes, wait_restored
from tests.testbed.doors import DOORS, Door, pass_through
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = DOZEN


@pytest.fixture
def door(request: pytest.FixtureRequest, suite: str) -> Door:
    """The door, where that generation has it."""
    door: Door = request.param
    if suite not in door.suites:
        pytest.skip(f"{suite} has no {door.command}")
    return door


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.command, indirect=True)
def test_all_are_back(door: Door, host: Host) -> None:
    before = look(host, CAST.names)
    pass_through(host, door)
    wait_restored(host)

    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)
    assert "stopped by" not in journal_since(host, before.at)
