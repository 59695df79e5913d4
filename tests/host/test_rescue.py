"""The host is isolated to rescue: its guests are safe from then on, and back after it."""

from __future__ import annotations

import pytest

from tests.host.stage import FEW
from tests.host.support import Before, assert_back, look, outcomes, wait_restored
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW


def test_rescue_and_back(host: Host) -> None:
    before = rescue(host)
    host.run(["systemctl", "default"])
    host.wait_up()
    wait_until(lambda: bool(outcomes_so_far(host, before)), 60, "restore after the rescue")
    assert_back(host, before, CAST.back)


def test_rescue_and_reboot(host: Host) -> None:
    """Nobody is there any more to see to guests as the host goes down from there."""
    before = rescue(host)
    host.reboot()
    wait_restored(host)
    assert_back(host, before, CAST.back)


def rescue(host: Host) -> Before:
    """Have the host in rescue; its guests have been taken to safety."""
    before = look(host, CAST.names)
    host.run(["systemctl", "--no-block", "rescue"])
    wait_until(lambda: is_in_rescue(host), 120, f"rescue on {host.name}")
    assert outcomes(host, "preserve", before.at) == CAST.safe
    return before


def is_in_rescue(host: Host) -> bool:
    """Whether the target is reached, and everything else stopped."""
    units = ["rescue.target", "guestctl-guard.service", "libvirtd.service"]
    shown = host.run(["systemctl", "is-active", *units], check=False).stdout.split()
    return shown == ["active", "inactive", "inactive"]


def outcomes_so_far(host: Host, before: Before) -> dict[str, str]:
    """Of the restore, once it has ended."""
    try:
        return outcomes(host, "restore", before.at)
    except AssertionError:
        return {}
