"""Guests that take a request to shut down and do not go down by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Guestctl
from tests.testbed import console
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .support import by_name, cleared, fresh, override, said_bye, steps, trail

pytestmark = pytest.mark.guests

DEAF, RESTARTS, SPARED = "deaf agent", "starts anew", "starts anew, ignores"
#: With so little time, the first method has to make way soon.
CONFIG = '[shutdown]\nsave = "none"\nshutdown-timeout = "12s"\n'
KEPT = "it was kept from starting anew when it powers off"


@pytest.fixture(scope="module")
def guestctl(daemon: SessionDaemon) -> Iterator[Guestctl]:
    with cleared(daemon):
        daemon.start(GuestSpec(DEAF, agent=True, kernel_args="gc.agent=deaf"))
        daemon.start(GuestSpec(RESTARTS, on_poweroff="restart"))
        daemon.start(GuestSpec(SPARED, on_poweroff="restart", button="ignore"))
        daemon.wait_for_agent(DEAF)
        yield fresh(daemon, CONFIG + override(SPARED, 'poweroff = "none"'))


def test_they_go_down_in_good_order(daemon: SessionDaemon, guestctl: Guestctl) -> None:
    planned = by_name(guestctl.json("plan"))
    assert "kept from that" in planned[RESTARTS]["notes"][0]
    assert planned[DEAF]["notes"] == []
    result = by_name(guestctl.json("shutdown", "--preserve", status=1))
    for name in (DEAF, RESTARTS):
        assert steps(result[name]) == {"shutdown": "done"}
        assert said_bye(daemon, name)
    assert console.presses(daemon.console(DEAF)) == 1
    assert any(KEPT in reason for reason in trail(guestctl, RESTARTS))


def test_one_that_stays_up_is_left_as_it_was(daemon: SessionDaemon, guestctl: Guestctl) -> None:
    assert daemon.state(SPARED) == "running"
    assert "<on_poweroff>restart</on_poweroff>" in daemon.virsh("dumpxml", daemon.id_of(SPARED))
