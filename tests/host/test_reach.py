"""libvirtd is stopped for good while guests run, and then the host goes down."""

from __future__ import annotations

import time

import pytest

from tests.host.service import status
from tests.host.stage import FEW
from tests.host.support import (
    assert_back,
    journal_since,
    listed,
    lived_once,
    look,
    outcomes,
    wait_restored,
)
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, TARGET
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
UNITS = "libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service"
SYSTEM = "qemu:///system"


def test_an_announced_shutdown_has_it_started(host: Host) -> None:
    before = look(host, CAST.names)
    stop_libvirtd(host)
    host.poweroff(POWEROFF.command)
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)
    assert "libvirtd.service is started" in journal_since(host, before.at)


def test_once_units_are_stopped_nobody_waits_for_it(host: Host) -> None:
    """Nobody can save them any more; that is said, with their names."""
    before = look(host, CAST.names)
    stop_libvirtd(host)
    seconds = host.poweroff(TARGET.command)
    assert seconds < 60
    said = journal_since(host, before.at)
    assert "these guests end without being saved" in said
    host.boot()
    wait_restored(host)
    rows = listed(host)
    assert {rows[name]["state"] for name in CAST.names} == {"running"}
    assert all(lived_once(host, name) for name in CAST.names)


def stop_libvirtd(host: Host) -> None:
    """For good; `status` and the journal name who could not be saved."""
    since = time.time_ns()
    host.run(f"systemctl stop {UNITS}")
    wait_until(lambda: bool(out_of_reach(host)), 60, "word of guests out of reach")
    assert len(out_of_reach(host)) == len(CAST.names)
    said = journal_since(host, since)
    assert "nobody could save them: systemctl start libvirtd" in said
    assert host.run(["guestctl", "status"], check=False).returncode == 1


def out_of_reach(host: Host) -> list[str]:
    """Who runs where nobody answers, as the service says."""
    guests: list[str] = status(host)["service"].get("out_of_reach", {}).get(SYSTEM, [])
    return guests
