"""The power goes with guests running, in a save, in a restore: nobody is lost, none comes twice."""

from __future__ import annotations

import pytest

from tests.host.stage import FEW
from tests.host.support import (
    Before,
    assert_back,
    boots_of,
    listed,
    lived_once,
    look,
    newest_tick,
    outcomes,
    wait_restored,
    wait_saving,
)
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
#: Bytes a second: the power is gone before a save is done.
NEVER_DONE = 2_000_000
BOOTED_ANEW = dict.fromkeys(CAST.names, "started")


def test_with_guests_running(host: Host) -> None:
    before = look(host, CAST.names)
    host.power_cut()
    host.boot()
    wait_restored(host)
    assert_back(host, before, BOOTED_ANEW)


def test_in_mid_save(host: Host) -> None:
    """What was only half written is not resumed, nor in anybody's way."""
    before = look(host, CAST.names)
    host.slow_saves(NEVER_DONE)
    host.popen(POWEROFF.command)
    wait_saving(host, CAST.saved)
    host.power_cut()
    host.slow_saves(0)
    host.boot()
    wait_restored(host)
    assert_back(host, before, BOOTED_ANEW)


def test_in_mid_restore(host: Host) -> None:
    """Each is back, or held with the reason that its save may have been used."""
    before = look(host, CAST.names)
    leave_by(host, POWEROFF)
    host.boot()
    wait_until(lambda: some_are_back(host, before), 60, "guest that is back")
    host.power_cut()
    host.boot()
    wait_restored(host)
    assert all(lived_once(host, name) for name in CAST.names)
    found = outcomes(host, "restore", host.up_since)
    assert found.keys() == set(CAST.names)
    for name, outcome in found.items():
        assert_back_or_held(host, name, outcome)


def some_are_back(host: Host, before: Before) -> bool:
    return any(newest_tick(host, name) != before.ticks[name] for name in CAST.saved)


def assert_back_or_held(host: Host, name: str, outcome: str) -> None:
    row = listed(host)[name]
    assert row["wanted"] == "on"
    if outcome == "held":
        assert "already being resumed" in row["held"]
        host.run(["guestctl", "start", "--discard-save", name])
    assert boots_of(host, name)
    assert host.state(name) == "running"
