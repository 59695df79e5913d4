"""Local users who do their worst on the system's bus, before and while the host goes down."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.host import flood_bus, hostile
from tests.host.conftest import has_failed, install, install_debs, keep_evidence
from tests.host.on_bus import wait_owned
from tests.host.service import main_pid, wait_watching
from tests.host.stage import FEW, Stage
from tests.host.support import (
    assert_back,
    journal_since,
    look,
    newest_ticks,
    outcomes,
    runs,
    wait_restored,
    went_on,
)
from tests.host.users import honest_call, let_loose
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, TARGET, Trigger

pytestmark = pytest.mark.hosts

#: Seconds of it before the host goes down.
BEFORE = 20
MIB = 1 << 20
DBUS_BROKER = "dbus-broker"


@pytest.fixture(scope="module", params=["dbus-daemon", DBUS_BROKER])
def bus_stage(request: pytest.FixtureRequest, suite: str) -> Iterator[Stage]:
    """A shared host for each of the two."""

    def with_bus(host: Host) -> None:
        install(host)
        if request.param == DBUS_BROKER:
            install_broker(host)

    stage = Stage(suite, with_bus)
    yield stage
    stage.close()


@pytest.fixture
def host(request: pytest.FixtureRequest, bus_stage: Stage) -> Iterator[Host]:
    host = bus_stage.host(FEW, request.module.__name__)
    yield host
    if has_failed(request):
        keep_evidence(request, [host])
        bus_stage.close()


def install_broker(host: Host) -> None:
    """Have the host's bus be dbus-broker from its first boot on."""
    install_debs(host, DBUS_BROKER)
    host.run_on_disk(["systemctl", "enable", "dbus-broker.service"])


@pytest.mark.parametrize("trigger", [POWEROFF, TARGET], ids=lambda trigger: trigger.command)
def test_nobody_on_the_bus_can_harm_a_guest(trigger: Trigger, host: Host) -> None:
    service, run = main_pid(host), runs(host)[0]
    living = newest_ticks(host, FEW.names)
    let_loose(host, hostile, service)
    time.sleep(BEFORE)
    assert main_pid(host) == service
    assert most_memory(host, service) < 256 * MIB
    assert runs(host)[0] == run, "somebody had a run begun"
    assert all(went_on(host, name, tick) for name, tick in living.items())

    before = look(host, FEW.names)
    host.poweroff(trigger.command, 300)
    assert deaths(host, before.at) == []
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == FEW.safe
    assert_back(host, before, FEW.back)
    wait_watching(host)


def test_a_flood_of_calls_harms_no_guest(host: Host) -> None:
    """Nor does it keep the service from answering others, or the host from going down in time."""
    wait_owned(host)
    service, run = main_pid(host), runs(host)[0]
    living = newest_ticks(host, FEW.names)
    let_loose(host, flood_bus)
    time.sleep(BEFORE)
    found, took = honest_call(host, 20)
    assert found == set(FEW.names)
    print(f"honest call: {took:.1f} s; memory: {most_memory(host, service) / MIB:.1f} MiB")
    assert main_pid(host) == service
    assert most_memory(host, service) < 256 * MIB
    assert runs(host)[0] == run, "somebody had a run begun"
    assert all(went_on(host, name, tick) for name, tick in living.items())

    before = look(host, FEW.names)
    took = host.poweroff(POWEROFF.command, 300)
    print(f"down after {took:.1f} s")
    assert took < 60
    assert deaths(host, before.at) == []
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == FEW.safe
    assert_back(host, before, FEW.back)
    wait_watching(host)


def most_memory(host: Host, pid: int) -> int:
    """The most that a process ever had in memory, in bytes."""
    (line,) = (text for text in read_status(host, pid) if text.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def read_status(host: Host, pid: int) -> list[str]:
    return host.run(["cat", f"/proc/{pid}/status"]).stdout.splitlines()


def deaths(host: Host, since: int) -> list[str]:
    """What the journal says of a service that died."""
    lines = journal_since(host, since).splitlines()
    return [
        line
        for line in lines
        if "guestctl.service: Main process exited" in line and "status=0" not in line
    ]
