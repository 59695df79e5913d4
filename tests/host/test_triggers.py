"""Whatever makes a host go down in order: its guests are safe, and back after the boot."""

from __future__ import annotations

import pytest

from tests.host.stage import DOZEN
from tests.host.support import assert_back, journal_since, look, outcomes, wait_restored
from tests.testbed.host import Host
from tests.testbed.triggers import TRIGGERS, Trigger, pass_through

pytestmark = pytest.mark.hosts

CAST = DOZEN


@pytest.fixture
def trigger(request: pytest.FixtureRequest, suite: str) -> Trigger:
    """The trigger, where that generation has it."""
    trigger: Trigger = request.param
    if suite not in trigger.suites:
        pytest.skip(f"{suite} has no {trigger.command}")
    return trigger


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.command, indirect=True)
def test_all_are_back(trigger: Trigger, host: Host) -> None:
    before = look(host, CAST.names)
    pass_through(host, trigger)
    wait_restored(host)

    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)
    assert "wanted off, unless" not in journal_since(host, before.at)
