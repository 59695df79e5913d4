"""libvirt's daemons and guests' scopes, as a systemd on a real bus tells of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from guestctl.host.bus_values import Variant
from guestctl.host.daemons import SystemdDaemons
from tests.unit.private_bus import FakeSystemd, PrivateBus, open_fds
from tests.unit.running import run_async

T = TypeVar("T")
QEMU, LXC, REMOTE = "qemu:///system", "lxc:///", "qemu+ssh://other/system"
LIBVIRTD, VIRTQEMUD = "libvirtd.service", "virtqemud.service"
State = tuple[str, str]
RUNNING, WAITS, DEAD = ("active", "running"), ("activating", "auto-restart"), ("inactive", "dead")


def systemd(units: dict[str, State], ended: int = 7) -> FakeSystemd:
    """Units with their states; those that are not here are not installed."""
    fake = FakeSystemd()
    fake.properties["InactiveEnterTimestampMonotonic"] = Variant("t", ended)

    def row(name: str) -> list[Any]:
        load = "loaded" if name in units else "not-found"
        state = units.get(name, DEAD)
        return [name, "", load, *state, "", fake.path, 0, "", "/"]

    fake.methods["ListUnitsByNames"] = lambda body: (
        "a(ssssssouso)",
        [[row(name) for name in body[0]]],
        [],
    )
    fake.methods["ListUnitsByPatterns"] = lambda _: (
        "a(ssssssouso)",
        [[row(name) for name in units]],
        [],
    )
    fake.methods["StartUnit"] = lambda body: ("o", [f"/job/{body[1]}"], [])
    return fake


def ask(
    bus: PrivateBus, fake: FakeSystemd, question: Callable[[SystemdDaemons], Awaitable[T]]
) -> T:
    async def work() -> T:
        await fake.connect(bus.address)
        before = open_fds()
        try:
            return await question(SystemdDaemons(bus.address))
        finally:
            assert open_fds() == before
            fake.leave()

    return run_async(work())


@pytest.mark.parametrize(
    ("units", "gone"),
    [
        ({LIBVIRTD: RUNNING, VIRTQEMUD: DEAD}, False),
        ({LIBVIRTD: DEAD, VIRTQEMUD: ("activating", "start")}, False),
        ({LIBVIRTD: DEAD, VIRTQEMUD: DEAD}, True),
        ({LIBVIRTD: WAITS}, True),
        ({}, False),
    ],
)
def test_whether_nobody_is_left_that_could_answer(
    bus: PrivateBus, units: dict[str, State], gone: bool
) -> None:
    assert ask(bus, systemd(units), lambda it: it.is_gone(QEMU)) is gone


def test_other_hosts_and_other_drivers_are_never_gone(bus: PrivateBus) -> None:
    assert ask(bus, systemd({LIBVIRTD: DEAD}), lambda it: it.is_gone(REMOTE)) is False
    assert ask(bus, systemd({LIBVIRTD: DEAD}), lambda it: it.is_gone("test:///default")) is False


def test_without_a_bus_nothing_is_known(bus: PrivateBus) -> None:
    bus.kill()
    daemons = SystemdDaemons(bus.address)
    assert run_async(daemons.is_gone(QEMU)) is False
    assert run_async(daemons.running_guests(QEMU)) == ()
    assert run_async(daemons.start(QEMU)) == ""


def test_guests_by_their_scopes(bus: PrivateBus) -> None:
    scopes = [r"machine-qemu\x2d3\x2dweb\x2d1.scope", r"machine-lxc\x2d9\x2dbox.scope", "a.scope"]
    fake = systemd(dict.fromkeys(scopes, RUNNING))
    assert ask(bus, fake, lambda it: it.running_guests(QEMU)) == ("box", "web-1")
    assert ask(bus, systemd({}), lambda it: it.running_guests(LXC)) == ()
    assert ask(bus, fake, lambda it: it.running_guests(REMOTE)) == ()


def test_the_daemon_that_was_there_is_started(bus: PrivateBus) -> None:
    assert ask(bus, systemd({LIBVIRTD: DEAD}), lambda it: it.start(QEMU)) == LIBVIRTD


@pytest.mark.parametrize(
    ("units", "ended"), [({LIBVIRTD: DEAD}, 0), ({LIBVIRTD: RUNNING, VIRTQEMUD: DEAD}, 7), ({}, 7)]
)
def test_none_is_started_beside_one_that_runs_or_that_never_ran(
    bus: PrivateBus, units: dict[str, State], ended: int
) -> None:
    fake = systemd(units, ended)
    assert ask(bus, fake, lambda it: it.start(QEMU)) == ""
    assert "StartUnit" not in fake.calls
