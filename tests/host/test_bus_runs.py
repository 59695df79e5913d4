"""Runs that are asked of the service: they are nobody's child, whatever becomes of who asked."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.host.on_bus import AFTER_THE_BUS, MANAGER, NO_RUN, ROOT, call, current_run, wait_owned
from tests.host.service import kill, main_pid, wait_watching
from tests.host.stage import FEW
from tests.host.support import (
    Before,
    all_lived_on,
    assert_back,
    came_out,
    image,
    in_process,
    journal_since,
    look,
    newest_run,
    runs,
    trail,
    wait_restored,
    wait_saving,
    went_on,
)
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
ONE, TWO, THREE = FEW.saved
#: Bytes a second: no save is over before it is to be.
NEVER_DONE = 500_000
PRESERVE = f"guestctl shutdown --preserve {shlex.quote(ONE)}"
PID, SAID = "/run/client.pid", "/var/tmp/client"
DETACHED = 130


class Client(NamedTuple):
    """A command at a terminal of its own, as it were."""

    host: Host
    child: subprocess.Popen[Any]
    output: Path

    def signal(self, name: str) -> None:
        self.host.run(f"kill -{name} $(cat {PID})")

    def ends(self) -> int:
        """Its exit status."""
        return self.child.wait(60)

    @property
    def said(self) -> str:
        return self.output.read_text()


def begin(host: Host) -> Client:
    """A client has a guest saved, which goes on until the saves are let go."""
    host.slow_saves(NEVER_DONE)
    child = host.popen(f"echo $$ >{PID}; exec {PRESERVE} >{SAID} 2>&1")
    wait_saving(host, [ONE])
    assert current_run(host) != NO_RUN, "the service does not know of the run"
    return Client(host, child, host.root / SAID.lstrip("/"))


def wait_ended(host: Host, before: Before) -> dict[str, Any]:
    """The run, which is the newest there is."""
    wait_until(lambda: runs(host)[0]["ended"] is not None, 60, "end of the run")
    run = newest_run(host)
    assert run["begun"] > before.at
    assert (run["user"], run["command"]) == ("root", PRESERVE)
    assert list(run["guests"]) == [ONE]
    return run


def assert_saved(host: Host, before: Before) -> None:
    """The run ended as if nothing had been, and nobody else has noticed."""
    run = wait_ended(host, before)
    assert (run["ok"], run["guests"][ONE]["outcome"]) == (True, "saved")
    assert image(host, ONE).exists()
    others = {name: tick for name, tick in before.ticks.items() if name != ONE}
    assert all_lived_on(host, others)
    host.run(["guestctl", "start"])
    assert went_on(host, ONE, before.ticks[ONE])
    wait_watching(host)


def test_its_client_is_killed(host: Host) -> None:
    before = look(host, CAST.names)
    client = begin(host)
    client.signal("KILL")
    client.ends()
    assert runs(host)[0]["ended"] is None
    host.slow_saves(0)
    assert_saved(host, before)


def test_one_run_several_terminals(host: Host) -> None:
    """A second one is refused, Ctrl-C leaves it, and whoever comes after sees all of it."""
    before = look(host, CAST.names)
    client = begin(host)
    for second in (["guestctl", "start", TWO], in_process("shutdown", "--preserve", TWO)):
        refused = host.run(second, check=False)
        assert refused.returncode == 5
        assert "another run has the lock: " in refused.stderr
        assert "root" in refused.stderr
    client.signal("INT")
    assert client.ends() == DETACHED
    assert "the run goes on in the service; `guestctl attach` shows it again" in client.said
    assert runs(host)[0]["ended"] is None

    seen = host.popen(["guestctl", "attach"], stdout=subprocess.PIPE, text=True)
    assert seen.stdout is not None
    with seen.stdout:
        first = seen.stdout.readline()
        host.slow_saves(0)
        lines = [first, *seen.stdout]
    assert lines[0].startswith("preserve of 1 guest (command")
    assert lines[1].startswith(f"{ONE}: save begins")
    assert lines[-2].startswith(f"{ONE}: saved after")
    assert lines[-1] == "1 guest: 1 saved\n"
    assert seen.wait(20) == 0
    assert_saved(host, before)


def test_cancelled(host: Host) -> None:
    """As Ctrl-C does where no service is: the save is undone, and all who look are told."""
    before = look(host, CAST.names)
    client = begin(host)
    cancelled = host.run(["guestctl", "cancel"])
    assert "the run was interrupted" in cancelled.stderr
    assert client.ends() == 1
    assert "the run was interrupted" in client.said
    assert wait_ended(host, before)["ok"] is None  # interrupted
    assert current_run(host) == NO_RUN
    assert not image(host, ONE).exists()
    assert all_lived_on(host, before.ticks)


@pytest.mark.parametrize("how", ["restart", "kill --signal=KILL"])
def test_the_bus_is_gone_for_a_moment(how: str, host: Host) -> None:
    """It has its name again and its inhibitor, and a client that was there sees the end."""
    before, service = look(host, CAST.names), main_pid(host)
    client = begin(host)
    host.run(f"systemctl {how} dbus")
    host.run(AFTER_THE_BUS)
    wait_owned(host)
    assert current_run(host) != NO_RUN
    assert main_pid(host) == service
    host.slow_saves(0)
    status = client.ends()
    print(client.said)
    assert status == 0
    assert "the run is followed again" in client.said
    assert_saved(host, before)


def restart(host: Host) -> None:
    host.run(["systemctl", "restart", "guestctl"])


@pytest.mark.parametrize("end", [restart, kill], ids=["restarted", "killed"])
def test_the_service_ends(end: Callable[[Host], None], host: Host) -> None:
    """The command takes the guest to safety itself: there may be no time to ask again."""
    before = look(host, CAST.names)
    client = begin(host)
    end(host)
    host.slow_saves(0)
    status = client.ends()
    print(client.said)
    assert status == 0
    wait_watching(host)
    assert image(host, ONE).exists()
    assert all_lived_on(host, {name: before.ticks[name] for name in (TWO, THREE)})
    host.run(["guestctl", "start"])
    assert went_on(host, ONE, before.ticks[ONE])


def test_the_host_goes_down(host: Host) -> None:
    """It is waited for as any operator's run is, and nobody is left out."""
    before = look(host, CAST.names)
    begin(host)
    host.popen(POWEROFF.command)
    wait_until(lambda: "(host-stop)" in journal_since(host, before.at), 60, "the host's run")
    host.slow_saves(0)
    host.wait_off()
    host.boot()
    wait_restored(host)
    assert came_out(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)


def test_whom_it_was_shutting_down_stays_down(host: Host) -> None:
    """The host's end is not the reason why they are off, as with any operator's command."""
    before = look(host, CAST.names)
    names = ["slow", "ignores"]
    call(host, ROOT, MANAGER, "Shutdown", "asa{sv}", "2", *names, "0")
    host.popen(POWEROFF.command)
    host.wait_off()
    host.boot()
    wait_restored(host)
    ended = next(run for run in runs(host) if run["kind"] == "shutdown")
    assert {name: ended["guests"][name]["outcome"] for name in names} == {
        "slow": "shut-down",
        "ignores": "powered-off",
    }
    assert_back(host, before, dict.fromkeys(CAST.saved, "resumed"))
    for name in names:
        assert any("operator" in reason for reason in trail(host, name))
