"""A host on a UPS that hangs on another one: the other waits until the guests here are safe."""

from __future__ import annotations

import pytest

from tests.host import doctor
from tests.host.conftest import NewHost
from tests.host.nut_pair import Pair
from tests.host.service import wait_watching
from tests.host.support import Before, assert_back, came_out, look, wait_restored
from tests.testbed.bridge import bridge
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

GUESTS = ("db", "web")
#: Bytes a second: a save takes longer than upsd remembers who says nothing, which is a minute.
SLOW = 10**6


def test_the_primary_waits_until_guests_are_safe(new_host: NewHost, suite: str) -> None:
    """The power goes with it, and takes what is not safe: every guest is."""
    with bridge() as network:
        pair = Pair(new_host, suite, network)
        host = pair.secondary
        pair.set_primary(HOSTSYNC="240")
        pair.boot(logins=stay_logged_in(pair))
        host.start_all([GuestSpec(name) for name in GUESTS])
        wait_watching(host)
        assert "upsmon-secondary" not in {it["check"] for it in doctor.findings(host)}
        host.slow_saves(SLOW)
        before = look(host, GUESTS)
        pair.say("OB DISCHRG LB")
        power_goes_with(pair.primary, host)
        all_go_on(host, before)


def all_go_on(host: Host, before: Before) -> None:
    """The next boot resumes every guest."""
    host.slow_saves(0)
    host.boot()
    wait_restored(host)
    back = came_out(host, "restore", host.up_since)
    assert back == dict.fromkeys(GUESTS, "resumed")
    assert_back(host, before._replace(at=host.up_since), back)


def stay_logged_in(pair: Pair) -> int:
    """As the how-to says, for this NUT; how many logins there are then."""
    if pair.secondary.suite == "forky":  # 2.8.5
        pair.set_secondary(SHUTDOWNEXIT="no")
        return 2
    pair.stay()
    return 3


def power_goes_with(primary: Host, host: Host) -> None:
    """Once the primary is off, so is the other."""
    primary.wait_off(300)
    if host.is_on:
        host.power_cut()
