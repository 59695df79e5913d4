"""A real host goes down by `systemctl poweroff`, and its guests go on after the next boot."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.command import PROJECT
from tests.host.conftest import NewHost
from tests.testbed.console import Tick, boots, read_ticks, wait_for_tick, was_resumed
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

SAVED = [GuestSpec(f"guest {n}") for n in range(1, 5)]
SHUT_DOWN = GuestSpec("slow", button="slow:2")
POWERED_OFF = GuestSpec("ignores", button="ignore")
CONFIG = """
[[guest]]
match = "slow"
save = "none"

[[guest]]
match = "ignores"
save = "none"
shutdown-timeout = "3s"
"""


def test_six_guests_survive_the_hosts_poweroff(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    (host.root / "etc/guestctl/conf.d/test.toml").write_text(CONFIG)
    host.boot()
    guests = [*SAVED, SHUT_DOWN, POWERED_OFF]
    host.start_all(guests)
    assert machine_scopes(host) == len(guests), "the order of a real host is not being tested"
    restart_touches_nobody(host, guests)
    hand_over_touches_nobody(host, guests)

    before = {spec.name: read_ticks(host.console(spec.name))[-1] for spec in guests}
    host.poweroff()
    host.boot()

    for spec in SAVED:
        assert_went_on(host, spec.name, before[spec.name])
    for spec in (SHUT_DOWN, POWERED_OFF):
        assert_booted_anew(host, spec.name)
    listed = {guest["name"]: guest for guest in list_json(host)}
    assert {guest["state"] for guest in listed.values()} == {"running"}
    assert outcomes(host, "preserve") == {
        **{spec.name: "saved" for spec in SAVED},
        SHUT_DOWN.name: "shut-down",
        POWERED_OFF.name: "powered-off",
    }
    assert "another run has the lock" not in host.journal()


def machine_scopes(host: Host) -> int:
    """How many guests have a scope of their own, as machined gives them on a real host."""
    units = host.run(["systemctl", "list-units", "--plain", "--no-legend", "machine-*.scope"])
    return len(units.stdout.splitlines())


def restart_touches_nobody(host: Host, guests: list[GuestSpec]) -> None:
    """Stop, start and restart of the unit on a host that stays up."""
    for action in ("restart", "stop", "start"):
        host.run(["systemctl", action, "guestctl"])
    assert_untouched(host, guests)


def hand_over_touches_nobody(host: Host, guests: list[GuestSpec]) -> None:
    """The way from libvirt-guests to guestctl, by the commands that README.md gives."""
    host.run(["systemctl", "enable", "--now", "libvirt-guests"])
    host.run("set -e\n" + readme_commands("libvirt-guests"))
    assert host.run(["systemctl", "is-active", "libvirt-guests"], check=False).returncode != 0
    assert_untouched(host, guests)


def readme_commands(about: str) -> str:
    """The block of commands about something that README.md has an administrator type."""
    blocks = re.findall(r"```console\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    block: str = next(block for block in blocks if about in block)
    return block.replace("# ", "")


def assert_untouched(host: Host, guests: list[GuestSpec]) -> None:
    for spec in guests:
        assert len(boots(host.console(spec.name))) == 1
        assert host.state(spec.name) == "running"


def assert_went_on(host: Host, name: str, before: Tick) -> None:
    log = host.console(name)
    wait_for_tick(log, len(read_ticks(log)))
    assert was_resumed(log, before), f"{name}: {log.read_text()}"
    assert len(boots(log)) == 1


def assert_booted_anew(host: Host, name: str) -> None:
    log = host.console(name)
    wait_for_tick(log, len(read_ticks(log)))
    assert len(boots(log)) == 2


def list_json(host: Host) -> Any:
    return json.loads(host.run(["guestctl", "list", "--json"]).stdout)


def outcomes(host: Host, kind: str) -> dict[str, str]:
    """What the newest run of this kind did, by the ledger."""
    history = json.loads(host.run(["guestctl", "history", "--json"]).stdout)
    run = next(run for run in history if run["kind"] == kind)
    assert run["ended"] is not None
    return {guest["name"]: guest["outcome"] for guest in run["guests"]}
