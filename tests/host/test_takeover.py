"""`guestctl takeover` and `handback` on hosts whose guests run under libvirt-guests."""

from __future__ import annotations

import pytest

from tests.host.conftest import NewHost
from tests.host.service import wait_watching
from tests.host.support import boots_of, listed, lived_once, wait_restored
from tests.host.taking_over import (
    NAMES,
    assert_lived_on,
    is_guestctls,
    is_libvirt_guests,
    ticks,
    under_libvirt_guests,
)
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts


def test_there_and_back(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    under_libvirt_guests(host, NAMES)
    host.run("guestctl import")
    taken_over(host)
    powered_off_under_guestctl(host)
    handed_back(host)
    powered_off_under_libvirt_guests(host)


def taken_over(host: Host) -> None:
    before = ticks(host, NAMES)
    assert host.run("guestctl takeover --dry-run").stdout.count("would ") == 3
    assert is_libvirt_guests(host)
    host.run("guestctl takeover", timeout=120)
    assert is_guestctls(host)
    assert_lived_on(host, before)
    assert host.run("guestctl takeover").stdout.count("already so") == 5


def powered_off_under_guestctl(host: Host) -> None:
    before = ticks(host, NAMES)
    host.poweroff()
    host.boot()
    wait_restored(host)
    wait_watching(host)
    assert {row["state"] for row in listed(host).values()} == {"running"}
    assert_lived_on(host, before)


def handed_back(host: Host) -> None:
    before = ticks(host, NAMES)
    assert host.run("guestctl handback --dry-run").stdout.count("would ") == 2
    assert is_guestctls(host)
    host.run("guestctl handback")
    assert is_libvirt_guests(host)
    assert_lived_on(host, before)
    assert "nothing to hand back" in host.run("guestctl handback").stdout


def powered_off_under_libvirt_guests(host: Host) -> None:
    host.poweroff()
    host.boot()
    wait_until(lambda: all_run(host), 120, "guests that libvirt-guests starts")
    # virtlogd stops before its saves are through: the newest lines of the consoles are lost.
    assert {len(boots_of(host, name)) for name in NAMES} == {1}
    assert all(lived_once(host, name) for name in NAMES)
    assert is_libvirt_guests(host)


def all_run(host: Host) -> bool:
    return set(host.virsh("list", "--name").split("\n")) >= set(NAMES)
