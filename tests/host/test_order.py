"""Guests that depend on one another, a host that goes down in two ways: consoles tell the order.

A diamond: app comes after db and dns, as its own XML says, and both require nas.
"""

from __future__ import annotations

import pytest

from tests.host.conftest import NewHost
from tests.host.service import wait_watching
from tests.host.support import assert_back, listed, look, outcomes, wait_restored
from tests.testbed.console import read_ticks, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, REBOOT, leave_by, pass_through
from tests.testbed.witness import Witness

pytestmark = pytest.mark.hosts

APP, DB, DNS, NAS = "app", "db", "dns", "nas"
NAMES = (APP, DB, DNS, NAS)
#: The later it goes down, the sooner it would be down by itself.
SPECS = [
    GuestSpec(APP, button="slow:4"),
    GuestSpec(DB, button="slow:2"),
    GuestSpec(DNS, button="slow:1"),
    GuestSpec(NAS),
]
#: With systemd 252 nobody tells how the host goes down before the saves begin.
NO_SAVES = '[shutdown]\nsave = "none"\n'
PROFILE = '[profile.poweroff]\nsave = "none"\n'
ORDER = """
[[guest]]
match = "d*"
requires = ["nas"]
[[guest]]
match = "*"
ready = ["delay:4s"]
"""


def test_a_diamond_through_poweroff_and_reboot(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    tells = suite != "bookworm"
    configuration = host.root / "etc/guestctl/conf.d/test.toml"
    configuration.write_text((PROFILE if tells else NO_SAVES) + ORDER)
    host.boot()
    host.start_all(SPECS)
    assert "was not set" in host.run(["guestctl", "policy", APP, "--set", "after=db,dns"]).stdout
    wait_watching(host)
    by_poweroff(host)
    wait_watching(host)
    configuration.write_text((PROFILE if tells else "") + ORDER)
    by_reboot(host)


def by_poweroff(host: Host) -> None:
    """All are shut down, as that profile has it: down, and up again, in their order."""
    before = look(host, NAMES)
    with witness(host) as down:
        leave_by(host, POWEROFF)
    for name in (DB, DNS):
        assert down.place(APP, "bye") < down.place(name, "press")
        assert down.place(name, "bye") < down.place(NAS, "press")
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == dict.fromkeys(NAMES, "shut-down")
    for name in (DB, DNS):
        assert began(host, NAS) < began(host, name) < began(host, APP)
    for name in NAMES:
        wait_for_tick(host.console(name), len(read_ticks(host.console(name))))


def began(host: Host, name: str) -> int:
    """When its QEMU did, in ticks of the kernel's clock: starttime of proc(5)."""
    return int(host.run(["cut", "-d ", "-f22", f"/proc/{host.qemu_pid(name)}/stat"]).stdout)


def by_reboot(host: Host) -> None:
    """All are saved, at the same time, and go on where they were."""
    before = look(host, NAMES)
    pass_through(host, REBOOT)
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == dict.fromkeys(NAMES, "saved")
    assert_back(host, before, dict.fromkeys(NAMES, "resumed"))
    assert {row["state"] for row in listed(host).values()} == {"running"}


def witness(host: Host) -> Witness:
    return Witness({name: host.console(name) for name in NAMES})
