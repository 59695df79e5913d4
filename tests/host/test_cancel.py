"""A shutdown is cancelled while logind still waits: whoever was taken down comes back."""

from __future__ import annotations

import pytest

from tests.host.service import wait_watching
from tests.host.stage import FEW, SLOW
from tests.host.support import (
    all_lived_on,
    assert_back,
    boots_of,
    lived_once,
    look,
    outcomes,
    runs,
    wait_restored,
    wait_saving,
)
from tests.testbed.host import Host
from tests.testbed.triggers import CALLED_OFF, POWEROFF, logind_waits, pass_through
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
#: Bytes a second: no save is over before the shutdown is cancelled.
UNHURRIED = 1_000_000


def test_some_in_their_saves_and_one_down(host: Host, suite: str) -> None:
    if suite not in CALLED_OFF:
        pytest.skip(f"on {suite} an announced shutdown cannot be cancelled")
    before = look(host, CAST.names)
    host.slow_saves(UNHURRIED)
    with logind_waits(host, 60):
        host.popen(POWEROFF.command)
        wait_saving(host, CAST.saved)
        host.wait_for_state(SLOW.name, "shut off")
        host.run("shutdown -c")
        wait_until(lambda: is_over(host, before.at), 60, "restore after the shutdown")
    host.slow_saves(0)
    wait_watching(host)
    assert all_lived_on(host, {name: before.ticks[name] for name in CAST.saved})
    assert len(boots_of(host, SLOW.name)) == before.boots[SLOW.name] + 1
    assert host.state("ignores") == "running"
    assert all(lived_once(host, name) for name in CAST.names)
    assert_preserved_afterwards(host)


def assert_preserved_afterwards(host: Host) -> None:
    boots_of(host, "ignores")  # on a busy machine, powered off and started, it does not tick yet
    before = look(host, CAST.names)
    pass_through(host, POWEROFF)
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)


def is_over(host: Host, since: int) -> bool:
    """Whether the restore that follows has ended."""
    newest = runs(host)[0]
    over = newest["trigger"] == "cancelled" and newest["begun"] > since
    return bool(over and newest["ended"])
