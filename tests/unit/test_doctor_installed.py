"""The doctor's checks of files for others, of the interface and the clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Boot
from guestctl.decisions import checks_installed
from guestctl.decisions.doctor import examine
from guestctl.decisions.host_state import HostState
from guestctl.host import clock
from guestctl.host.programs import is_program
from guestctl.model.finding import Finding
from guestctl.model.host_details import Clock, HostDetails, HostRunning, Shipped
from tests.unit.healthy import SAID, facts, healthy, units
from tests.unit.makers import guest, recorded

HOOK = "/etc/libvirt/hooks/qemu.d/guestctl"
THERE = Shipped("it", ("/a/it",), is_there=True, is_program=True)
GONE = replace(THERE, is_there=False, is_program=False)
REINSTALL = "apt-get install --reinstall guestctl"


def found(state: HostState) -> list[Finding]:
    return examine(state, checks=checks_installed.CHECKS)


def host(config: Config | None = None, /, **details: Any) -> HostState:
    seen = facts((guest(),), (recorded(),))
    return healthy(facts=replace(seen, config=config or Config()), details=HostDetails(**details))


@pytest.mark.parametrize("name", ["bus_policy", "actions", "hook"])
def test_files_that_are_there(name: str) -> None:
    assert found(host(**{name: THERE})) == []


@pytest.mark.parametrize(
    ("name", "check", "command"),
    [
        ("bus_policy", "bus-policy", REINSTALL),
        ("actions", "polkit-actions", REINSTALL),
        (
            "hook",
            "hook",
            "apt-get install --reinstall -o Dpkg::Options::=--force-confmiss guestctl",
        ),
    ],
)
def test_files_that_are_not(name: str, check: str, command: str) -> None:
    (finding,) = found(host(**{name: GONE}))
    assert (finding.check, finding.command) == (check, command)
    assert finding.evidence == ("looked for: /a/it",)
    (finding,) = found(host(**{name: GONE}, from_package=False))
    assert finding.command == ""


def test_a_hook_that_is_no_program() -> None:
    (finding,) = found(host(hook=replace(THERE, places=(HOOK,), is_program=False)))
    assert finding.command == f"chmod 755 {HOOK}"
    off = Config(boot=Boot(refuse_starts=False))
    assert found(host(off, hook=GONE)) == []


def test_a_hook_that_nobody_calls() -> None:
    state = replace(host(), units=units(unhooked=("libvirtd.service",)))
    (finding,) = found(state)
    assert (finding.check, finding.command) == ("hook-unread", "systemctl restart libvirtd.service")
    held = recorded(hold="held", held_for_save=True)
    assert found(replace(state, facts=replace(facts((guest(),)), records=(held,)))) == []


def test_a_service_that_is_not_on_the_bus() -> None:
    well, refused = {"on_bus": True, "problem": ""}, {"on_bus": False, "problem": "refused"}
    assert found(healthy(service={**SAID, "interface": well})) == []
    (finding,) = found(healthy(service={**SAID, "interface": refused}))
    assert finding.check == "off-the-bus"
    assert finding.text.endswith("org.guestctl1: refused")


@pytest.mark.parametrize(
    ("seen", "checks"),
    [
        (Clock(False, up=10_000), ["clock"]),
        (Clock(False, up=100), []),
        (Clock(None, up=10_000), []),
        (Clock(True, up=10_000), []),
        (Clock(is_local=True), ["local-time"]),
    ],
)
def test_the_clock(seen: Clock, checks: list[str]) -> None:
    assert [it.check for it in found(healthy(running=HostRunning(clock=seen)))] == checks


# What is read


def test_the_clock_of_this_machine(tmp_path: Path) -> None:
    container, adjtime = tmp_path / "container", tmp_path / "adjtime"
    adjtime.write_text("0.0 0 0.0\n0\nLOCAL\n")
    seen = clock.look(container, adjtime)
    assert isinstance(seen.is_synchronised, bool)
    assert seen.up > 0
    assert seen.is_local
    container.write_text("systemd-nspawn\n")
    assert clock.look(container, adjtime).is_synchronised is None
    assert not clock.look(container, tmp_path / "none").is_local


def test_what_is_a_program(tmp_path: Path) -> None:
    program = tmp_path / "program"
    assert not is_program(str(program))
    program.touch(0o644)
    assert not is_program(str(program))
    program.chmod(0o755)
    assert is_program(str(program))
    assert not is_program(str(tmp_path))
