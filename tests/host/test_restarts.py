"""Restarts and upgrades on a host that stays up touch no guest, and nobody is forgotten after."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.command import PROJECT
from tests.host.conftest import copy_package
from tests.host.service import kill, main_pid, wait_hearing
from tests.host.stage import FEW
from tests.host.support import (
    all_lived_on,
    assert_back,
    look,
    newest_ticks,
    outcomes,
    wait_restored,
)
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, pass_through
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW


def command(*lines: str) -> Callable[[Host], None]:
    """Type these on the host."""

    def run(host: Host) -> None:
        for line in lines:
            host.run(line, timeout=120)

    return run


def end_by(signal: str) -> Callable[[Host], None]:
    """End the service's process, and wait for the one that systemd starts."""

    def end(host: Host) -> None:
        before = main_pid(host)
        kill(host, signal=signal)
        wait_until(lambda: main_pid(host) not in (0, before), 30, "another process of the service")

    return end


def upgrade(host: Host) -> None:
    """Install the package over itself, as another version of it."""
    host.run(["dpkg", "--install", copy_package(host)], timeout=120)


def hand_over(host: Host) -> None:
    """The way from libvirt-guests to guestctl, by the commands that its how-to gives."""
    host.run(["systemctl", "enable", "--now", "libvirt-guests"])
    host.run("set -e\n" + commands_of_the_page("guestctl takeover"))
    assert host.run(["systemctl", "is-active", "libvirt-guests"], check=False).returncode != 0


PAGE = PROJECT / "docs/howto/replace-libvirt-guests.md"


def commands_of_the_page(about: str) -> str:
    """The block of commands about something that the how-to has an administrator type."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    block: str = next(block for block in blocks if about in block)
    return block.replace("# ", "")


# logind and machined do not come back to a new bus by themselves (seen on Debian 13).
BUS = ("systemctl restart dbus", "systemctl restart systemd-logind systemd-machined")
RESTARTS: dict[str, Callable[[Host], None]] = {
    "restart": command("systemctl restart guestctl"),
    "stop-start": command("systemctl stop guestctl", "systemctl start guestctl"),
    "reload": command("systemctl reload guestctl"),
    "SIGTERM": end_by("TERM"),
    "SIGKILL": end_by("KILL"),
    "upgrade": upgrade,
    "hand-over": hand_over,
    "libvirtd": command("systemctl restart libvirtd"),
    "libvirtd-killed": command("systemctl kill --signal=KILL libvirtd"),
    "logind": command("systemctl restart systemd-logind"),
    "bus": command(*BUS),
    "guard": command("systemctl restart guestctl-guard"),
    "systemd": command("systemctl daemon-reexec"),
}


@pytest.mark.parametrize("kind", RESTARTS)
def test_touches_nobody(kind: str, host: Host) -> None:
    before = newest_ticks(host, CAST.names)
    # So many in a minute are more than systemd lets pass.
    host.run("systemctl reset-failed guestctl")
    RESTARTS[kind](host)
    wait_hearing(host)
    assert all_lived_on(host, before)


def test_all_are_preserved_afterwards(host: Host) -> None:
    before = look(host, CAST.names)
    pass_through(host, POWEROFF)
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)
