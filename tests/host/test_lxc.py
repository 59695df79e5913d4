"""Containers of libvirt's LXC driver, which tells less than QEMU's: who stopped them, and a boot.

What a driver without monitor events tells is that a guest stopped, and that it was destroyed or
its controller died; not whether somebody had asked it to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.host.conftest import NewHost
from tests.host.service import status
from tests.host.support import listed, outcomes, trail, wait_restored
from tests.testbed import containers
from tests.testbed.commands import CommandError
from tests.testbed.containers import URI, leave, virsh, wait_for_life
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

SETTLE = 1
SECOND = 10**9
CONFIG = f"""
uris = ["qemu:///system", "{URI}"]
[shutdown]
settle = "{SETTLE}s"
"""
FLAGGED = "flagged-"
RUNS, REBOOTS, SYSTEM = "runs", "reboots", "system"
Deed = Callable[[Host, str], object]
Row = tuple[str | None, str | None, str | None, str]
SHUT_DOWN = ("user", "shut down", "likely", "off")
PULLED = ("administrator", "powered off", "likely", "off")
CRASHED = ("crash", "crashed", "likely", "on")
#: What guestctl itself does to a guest needs no events to be known.
BY_OPERATOR = ("operator", "shut down", "observed", "off")
UP = (None, None, None, "on")


class Case(NamedTuple):
    """What is done to a container, and what is then to be said of it."""

    name: str
    deed: Deed
    row: Row


def kill_controller(host: Host, name: str) -> None:
    host.run(["kill", "-KILL", virsh(host, "domid", name).strip()])


def pull(host: Host, name: str) -> None:
    try:
        virsh(host, "destroy", name)
    except CommandError:
        # 12.8 can be too late to find the container's control group: then it counts as failed.
        virsh(host, "start", name)
        virsh(host, "destroy", name)


def shut_down(host: Host, name: str) -> None:
    before = time.time_ns()
    host.run(["guestctl", "shutdown", name])
    assert outcomes(host, "shutdown", before) == {name: "shut-down"}


CASES = [
    Case("init-ends", lambda host, name: leave(host, name, "exit 0"), SHUT_DOWN),
    Case("powers-off", lambda host, name: leave(host, name, "poweroff -ff"), SHUT_DOWN),
    # Without a mode virsh says that it was asked, and nothing happens: see hypervisor.py.
    Case("asked", lambda host, name: virsh(host, "shutdown", "--mode", "signal", name), SHUT_DOWN),
    Case("pulled", pull, PULLED),
    Case("controller-dies", kill_controller, CRASHED),
    Case(SYSTEM, shut_down, BY_OPERATOR),
    Case(REBOOTS, lambda host, name: leave(host, name, "reboot -ff"), UP),
    Case(RUNS, lambda host, name: None, UP),
]
OFF = [case for case in CASES if case.row in (SHUT_DOWN, PULLED)]
CASES += [case._replace(name=FLAGGED + case.name) for case in OFF]
BACK = {case.name for case in CASES if case.row[-1] == "on"}
ALIVE = {case.name for case in CASES if case.row == UP}


def test_who_stopped_a_container(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    (host.root / "etc/guestctl/conf.d/test.toml").write_text(CONFIG)
    containers.allow(host)
    host.boot()
    go_through(host)
    assert_rows(host)
    wait_until(lambda: is_settled(host), 30, "end of the settle time")
    assert_next_boot(host)
    before = time.time_ns()
    host.reboot()
    wait_restored(host)
    assert containers.running(host) == BACK
    for name in BACK:
        wait_for_life(host, name, 3 if name == REBOOTS else 2)
    assert outcomes(host, "preserve", before) == dict.fromkeys(ALIVE, "shut-down")
    assert outcomes(host, "restore", before) == dict.fromkeys(BACK, "started")
    found = listed(host)
    assert {case.name: said(found[case.name]) for case in CASES} == {
        case.name: UP if case.name in BACK else case.row for case in CASES
    }


def go_through(host: Host) -> None:
    containers.start_all(host, [case.name for case in CASES if case.name != SYSTEM])
    containers.start_system(host, SYSTEM)
    for case in CASES:
        if case.name.startswith(FLAGGED):
            virsh(host, "autostart", case.name)
    wait_until(lambda: sees_all(host), 30, "service that sees the containers")
    for case in CASES:
        case.deed(host, case.name)
    wait_for_life(host, REBOOTS, 2)


def sees_all(host: Host) -> bool:
    service = status(host)["service"]
    connected = set(service.get("connections", {}).values()) == {"connected"}
    return connected and set(service["up"]) == {case.name for case in CASES}


def assert_rows(host: Host) -> None:
    wait_until(lambda: are_all_judged(host), 30, "verdict on every container")
    found = listed(host)
    assert {case.name: said(found[case.name]) for case in CASES} == {
        case.name: case.row for case in CASES
    }
    (line,) = [line for line in trail(host, "asked") if "by its user" in line]
    assert "its driver does not tell whether somebody had asked it to" in line


def assert_next_boot(host: Host) -> None:
    """Until a stop has settled it would be the host's doing, were that to go down."""
    found = listed(host)
    for case in CASES:
        # No container is ever saved.
        expected = "start" if case.name in BACK else "stay-down"
        assert found[case.name]["next_boot"] == expected, case.name


def are_all_judged(host: Host) -> bool:
    found = listed(host)
    return all(found[case.name]["certainty"] for case in CASES if case.name not in ALIVE)


def said(row: dict[str, Any]) -> Row:
    return row["stopped_by"], row["stopped_how"], row["certainty"], row["wanted"]


def is_settled(host: Host) -> bool:
    newest = max(row["stopped_at"] or 0 for row in listed(host).values())
    return time.time_ns() > newest + (SETTLE + 1) * SECOND
