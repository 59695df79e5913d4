"""From libvirt's own auto-shutdown to guestctl and back, with guests that run on.

Saves are slow, so that libvirt's take longer than logind waits: what then ends guests is the order
in which systemd stops their scopes, libvirt's daemon, and guestctl.
"""

from __future__ import annotations

import contextlib
import json
import stat

import pytest

from tests.host.conftest import NewHost
from tests.host.service import wait_watching
from tests.host.support import (
    Before,
    all_lived_on,
    listed,
    look,
    newest_ticks,
    wait_restored,
    went_on,
)
from tests.host.test_auto_shutdown import SETTING, marked
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by, logind_waits
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

GUESTS = [GuestSpec(f"guest {n}") for n in (1, 2, 3)]
NAMES = [guest.name for guest in GUESTS]
SLOW = 5_000_000
CONF = "etc/libvirt/qemu.conf"


@pytest.fixture
def under_libvirt(new_host: NewHost, suite: str) -> Host:
    """A host under auto-shutdown alone, on which guests run."""
    if suite == "bookworm":
        pytest.skip("libvirt 9.0 has none")
    host = new_host(suite)
    host.run_on_disk(["systemctl", "disable", "guestctl.service", "libvirt-guests.service"])
    with (host.root / CONF).open("a") as conf:
        conf.write(SETTING)
    host.boot()
    host.run("systemctl stop guestctl-guard.service libvirt-guests.service")
    host.start_all(GUESTS)
    return host


def test_there_and_back(under_libvirt: Host, suite: str) -> None:
    host = under_libvirt
    conf = host.root / CONF
    content, mode = conf.read_bytes(), stat.S_IMODE(conf.stat().st_mode)
    orders = suite != "trixie"  # libvirt 11.6 and later
    assert findings(host)["auto-shutdown"]["command"] == "guestctl takeover"
    assert outliving(host) == (len(NAMES) if orders else 0)
    lives_through(host, "guestctl import && guestctl takeover")
    wait_watching(host)
    assert findings(host).keys() & {"auto-shutdown", "scope-order", "qemu-conf-unread"} == set()
    assert outliving(host) == 0
    was = goes_down(host, SLOW)
    wait_restored(host)
    assert all(went_on(host, name, was.ticks[name]) for name in NAMES)
    assert {row["state"] for row in listed(host).values()} == {"running"}
    lives_through(host, "guestctl handback")
    assert (conf.read_bytes(), stat.S_IMODE(conf.stat().st_mode)) == (content, mode)
    assert outliving(host) == (len(NAMES) if orders else 0)
    # libvirt before 11.6 has logind's delay and no more: 5 s, or what an administrator gives it.
    with contextlib.nullcontext() if orders else logind_waits(host, 60):
        was = goes_down(host, SLOW if orders else 0)
    wait_until(lambda: up(host) == set(NAMES), 60, "libvirt's own autostart")
    assert all(went_on(host, name, was.ticks[name]) for name in NAMES)
    assert marked(host) == set()


def test_somebody_has_switched_it_off_and_restarted_no_guest(
    under_libvirt: Host, suite: str
) -> None:
    host = under_libvirt
    host.run(f"sed -i 's/^auto_shutdown/#&/' /{CONF}")
    host.run("systemctl enable --now guestctl.service")
    wait_watching(host)
    assert "qemu-conf-unread" in findings(host)
    host.run(findings(host)["qemu-conf-unread"]["command"])
    wait_watching(host)
    found = findings(host)
    assert "qemu-conf-unread" not in found
    assert ("scope-order" in found) is (suite != "trixie")
    if "scope-order" in found:
        lives_through(host, found["scope-order"]["command"])
        assert "scope-order" not in findings(host)
    was = goes_down(host, SLOW)
    wait_restored(host)
    assert all(went_on(host, name, was.ticks[name]) for name in NAMES)


def lives_through(host: Host, command: str) -> None:
    before = newest_ticks(host, NAMES)
    host.run(command, timeout=120)
    assert all_lived_on(host, before)


def goes_down(host: Host, rate: int) -> Before:
    """And comes back; how guests were before."""
    was = look(host, NAMES)
    host.slow_saves(rate)
    leave_by(host, POWEROFF, 200)
    host.slow_saves(0)
    host.boot()
    return was


def findings(host: Host) -> dict[str, dict[str, str]]:
    """Of the doctor, by check."""
    said = json.loads(host.run("guestctl doctor --json", check=False, timeout=120).stdout)
    return {finding["check"]: finding for finding in said}


def outliving(host: Host) -> int:
    """Scopes that are stopped after libvirt's daemon."""
    names = host.run("systemctl list-units --plain --no-legend 'machine-*.scope'").stdout
    units = [line.split()[0] for line in names.splitlines()]
    orders = (host.run(["systemctl", "show", "-p", "Before", unit]).stdout for unit in units)
    return sum("libvirtd.service" in order for order in orders)


def up(host: Host) -> set[str]:
    return set(host.virsh("list", "--name").split("\n")) - {""}
