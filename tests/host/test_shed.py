"""Guests that are shed on a real host: over the bus, called off, through a crash and a boot."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.host.on_bus import MANAGER, ROOT, call
from tests.host.service import kill, wait_watching
from tests.host.stage import FEW
from tests.host.support import (
    all_lived_on,
    assert_back,
    listed,
    look,
    newest_run,
    runs,
    wait_restored,
    wait_saving,
)
from tests.testbed.host import Host
from tests.testbed.triggers import CALLED_OFF, POWEROFF, logind_waits, pass_through
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
ONE, TWO, THREE = FEW.saved
#: Bytes a second: no save is over before it is to be.
NEVER_DONE = 2_000_000
#: Gone with the boot.
DROP_IN = Path("/run/systemd/system/guestctl.service.d/test.conf")
SAID = ("1", "reason", "s", "on battery")


def ended(host: Host, since: int) -> dict[str, Any]:
    """The newest run, which has begun since then, once it is over."""
    wait_until(lambda: runs(host)[0]["begun"] > since, 30, "the run's beginning")
    wait_until(lambda: runs(host)[0]["ended"] is not None, 60, "the run's end")
    return newest_run(host)


def shed(host: Host) -> set[str]:
    """Who is, as `list` says and `status` does."""
    names = {name for name, row in listed(host).items() if row["shed"] == "on battery"}
    said = json.loads(host.run(["guestctl", "status", "--json"], check=False).stdout)["shed"]
    assert {one["name"] for one in said} == names
    return names


def test_over_the_bus_through_a_crash_and_back(host: Host) -> None:
    before = look(host, CAST.names)
    call(host, ROOT, MANAGER, "Shed", "asa{sv}", "1", ONE, *SAID)
    run = ended(host, before.at)
    assert (run["trigger"], run["ok"], list(run["guests"])) == ("shed", True, [ONE])
    kill(host)
    wait_watching(host)
    assert (shed(host), host.state(ONE)) == ({ONE}, "shut off")
    assert all_lived_on(host, {name: before.ticks[name] for name in (TWO, THREE)})
    call(host, ROOT, MANAGER, "Resume", "asa{sv}", "0", "0")
    wait_until(lambda: host.state(ONE) == "running", 60, f"{ONE} to be back")
    wait_watching(host)
    assert newest_run(host)["trigger"] == "resume"
    assert all_lived_on(host, before.ticks)
    assert shed(host) == set()


def test_the_power_comes_back_in_the_midst_of_it(host: Host) -> None:
    before = look(host, CAST.names)
    host.run(["guestctl", "shed", "--reason", "on battery", ONE])
    host.slow_saves(NEVER_DONE)
    child = host.popen(["guestctl", "shed", "--reason", "on battery", TWO])
    wait_saving(host, [TWO])
    host.run(["guestctl", "resume"])
    host.slow_saves(0)
    assert child.wait(60) == 1
    wait_watching(host)
    assert all_lived_on(host, before.ticks)
    assert shed(host) == set()


def test_who_is_shed_when_the_host_goes_down_is_back_after_its_boot(host: Host) -> None:
    before = look(host, CAST.names)
    host.run(["guestctl", "shed", "--reason", "on battery", ONE])
    assert shed(host) == {ONE}
    pass_through(host, POWEROFF)
    wait_restored(host)
    assert_back(host, before, CAST.back)
    assert shed(host) == set()
    assert "nobody is shed" in host.run(["guestctl", "resume"]).stdout


def test_a_stop_that_is_cancelled_with_nobody_there_brings_back_others_alone(
    host: Host, suite: str
) -> None:
    if suite not in CALLED_OFF:
        pytest.skip(f"on {suite} an announced shutdown cannot be cancelled")
    before = look(host, CAST.names)
    host.run(["guestctl", "shed", "--reason", "on battery", ONE])
    host.slow_saves(NEVER_DONE)
    with logind_waits(host, 60), goes_on_without_service(host):
        host.popen(POWEROFF.command)
        wait_saving(host, [TWO, THREE])
        killed = time.time_ns()
        kill(host)
        host.run("shutdown -c")
        host.slow_saves(0)
    host.run("systemctl start guestctl")
    assert ended(host, killed)["trigger"] == "cancelled"
    wait_watching(host)
    assert (shed(host), host.state(ONE)) == ({ONE}, "shut off")
    assert all_lived_on(host, {name: before.ticks[name] for name in (TWO, THREE)})
    host.run(["guestctl", "resume"])
    assert all_lived_on(host, {ONE: before.ticks[ONE]})


@contextmanager
def goes_on_without_service(host: Host) -> Iterator[None]:
    """A service that ends is not started again, and logind waits for somebody else as well."""
    host.run(f"mkdir -p {DROP_IN.parent} && printf '[Service]\\nRestart=no\\n' >{DROP_IN}")
    host.run("systemctl daemon-reload")
    other = host.popen("exec systemd-inhibit --what=shutdown --mode=delay sleep infinity")
    holds = "systemd-inhibit --list --no-legend | grep --quiet 'sleep infinity'"
    wait_until(lambda: host.run(holds, check=False).returncode == 0, 30, "the other's inhibitor")
    yield
    other.terminate()
    host.run(f"rm {DROP_IN} && systemctl daemon-reload")
