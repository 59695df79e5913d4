"""What guestctl stands on dies as the host goes down, or guestctl does: the job is finished."""

from __future__ import annotations

import pytest

from tests.host.service import kill
from tests.host.stage import FEW
from tests.host.support import (
    Before,
    assert_back,
    journal_since,
    listed,
    lived_once,
    look,
    outcomes,
    wait_restored,
    wait_saving,
)
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, TARGET, Trigger, logind_waits

pytestmark = pytest.mark.hosts

CAST = FEW
#: Bytes a second, for a save that takes some ten seconds.
UNHURRIED = 8_000_000
BOTH = pytest.mark.parametrize("trigger", [POWEROFF, TARGET], ids=lambda trigger: trigger.command)
KILL = "systemctl kill --kill-whom=main --signal=KILL"


@BOTH
def test_service_killed_just_before(trigger: Trigger, host: Host) -> None:
    """systemd starts it again in time, or, as it stops units by then, its guard does it all."""
    before = look(host, CAST.names)
    host.poweroff(f"{KILL} guestctl && {trigger.command}")
    back_again(host, before)
    assert outcomes(host, "preserve", before.at) == CAST.safe


@BOTH
def test_service_killed_in_mid_run(trigger: Trigger, host: Host) -> None:
    before = look(host, CAST.names)
    go_down(host, trigger)
    kill(host)
    host.wait_off()
    back_again(host, before)


@pytest.mark.parametrize("units", ["dbus", "dbus systemd-logind systemd-machined"])
def test_bus_restarted_before(units: str, host: Host) -> None:
    """Without logind on the bus nobody hears of a shutdown beforehand.

    libvirt 12.8 ends all guests when it starts, the host goes down, and machined is not on the bus.
    """
    host.run(["systemctl", "restart", *units.split()])
    before = look(host, CAST.names)
    host.poweroff(POWEROFF.command)
    back_again(host, before)
    assert outcomes(host, "preserve", before.at) == CAST.safe


def test_libvirtd_killed_while_logind_waits(host: Host) -> None:
    """systemd starts it again, the saves that it was in are done anew."""
    before = look(host, CAST.names)
    with logind_waits(host, 60):
        go_down(host, POWEROFF)
        kill(host, "libvirtd")
        host.wait_off()
    back_again(host, before)


def test_libvirtd_killed_later(host: Host) -> None:
    """systemd does not start it again: nobody can take the guests to safety, and that is said."""
    before = look(host, CAST.names)
    go_down(host, TARGET)
    kill(host, "libvirtd")
    host.wait_off(120)
    assert "libvirt cannot be reached" in journal_since(host, before.at)
    host.boot()
    wait_restored(host)
    rows = listed(host)
    assert {rows[name]["state"] for name in CAST.names} == {"running"}
    assert all(lived_once(host, name) for name in CAST.names)


def go_down(host: Host, trigger: Trigger) -> None:
    """Have the host go down by the trigger, and wait until guests are being saved."""
    host.slow_saves(UNHURRIED)
    host.popen(trigger.command)
    wait_saving(host, CAST.saved)


def back_again(host: Host, before: Before) -> None:
    """Boot the host: nobody has lost anything."""
    host.boot()
    wait_restored(host)
    assert_back(host, before, CAST.back)
