"""A host on a UPS that apcupsd watches, by way of the network: the how-to's scripts, run by it."""

from __future__ import annotations

import pytest

from tests.host.apcupsd import (
    ON_BATTERY,
    ONLINE,
    SHUTTING_DOWN,
    install_apcupsd,
    says,
    scripts,
    wait_status,
)
from tests.host.conftest import NewHost
from tests.host.service import wait_watching
from tests.host.support import (
    Before,
    all_lived_on,
    assert_back,
    came_out,
    look,
    newest_run,
    runs,
    wait_restored,
)
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

FIRST, LAST = "db", "batch"
EVERYBODY = (FIRST, LAST)
CONFIG = """
[[guest]]
match = "batch"
order = 20

[profile.ups]
deadline = "4min"
"""


def test_the_story_of_a_ups(new_host: NewHost, suite: str) -> None:
    """One host, since to make it takes longest: power comes back, fails for good."""
    assert set(scripts()) == {"onbattery", "offbattery", "doshutdown"}
    host = new_host(suite)
    install_apcupsd(host)
    (host.root / "etc/guestctl/conf.d/ups.toml").write_text(CONFIG)
    host.boot()
    wait_status(host, "ONLINE")
    host.start_all([GuestSpec(name) for name in EVERYBODY])
    wait_watching(host)
    power_comes_back(host)
    the_battery_runs_low(host)
    the_other_host_goes_down(host)


def power_comes_back(host: Host) -> None:
    """The least important guest is shed and brought back."""
    before = look(host, EVERYBODY)
    says(host, ON_BATTERY)
    wait_until(lambda: host.state(LAST) == "shut off", 60, f"{LAST} shed")
    assert host.state(FIRST) == "running"
    says(host, ONLINE)
    wait_until(lambda: host.state(LAST) == "running", 60, f"{LAST} back")
    wait_until(lambda: runs(host)[0]["ended"] is not None, 60, "end of the resume")
    assert came_out(host, "restore", before.at) == {LAST: "resumed"}
    assert all_lived_on(host, before.ticks)


def the_battery_runs_low(host: Host) -> None:
    """All are taken to safety within what it has, and then apccontrol takes the host down."""
    before = look(host, EVERYBODY)
    says(host, ON_BATTERY, minutes=4)
    host.wait_off(180)
    boots_with_power(host, before)


def the_other_host_goes_down(host: Host) -> None:
    """And so does this one, whatever the battery has."""
    before = look(host, EVERYBODY)
    says(host, ON_BATTERY, bits=SHUTTING_DOWN)
    host.wait_off(180)
    boots_with_power(host, before)


def boots_with_power(host: Host, before: Before) -> None:
    """Guests were down before the host's own end began, and go on where they were."""
    says(host, ONLINE)
    host.boot()
    wait_restored(host)
    wait_watching(host)
    taken = newest_run(host, kind="preserve", trigger="command")
    assert taken["begun"] > before.at
    assert FIRST in taken["guests"]
    back = came_out(host, "restore", host.up_since)
    assert back == dict.fromkeys(EVERYBODY, "resumed")
    assert_back(host, before._replace(at=host.up_since), back)
