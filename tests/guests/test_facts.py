"""What `facts` records of real guests makes the same plans, and a story can be told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.config.config import Config
from tests.conftest import Guestctl
from tests.sim.events import parse_events
from tests.sim.facts import parse_facts
from tests.sim.scenario import Script, run_script
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .support import cleared, fresh, override

pytestmark = pytest.mark.guests

WEB, PAUSED, SAVED, TRANSIENT = 'web ]] "✓"', "paused", "saved\\by", "trans ient"
NAMES = (WEB, PAUSED, SAVED, TRANSIENT)
CONFIG = override("pau*", 'save = "none"') + override(SAVED, "restore = false")


@pytest.fixture(scope="module")
def guestctl(daemon: SessionDaemon) -> Iterator[Guestctl]:
    """The command on guests of several kinds, one of which it has saved."""
    with cleared(daemon):
        daemon.start_all([GuestSpec(name) for name in NAMES[:3]])
        daemon.create_transient(GuestSpec(TRANSIENT))
        daemon.virsh("suspend", daemon.id_of(PAUSED))
        command = fresh(daemon, CONFIG)
        command.run("shutdown", "--preserve", "--", SAVED)
        command.run("hold", "--reason", "until Monday", "--", SAVED)
        yield command


def record(guestctl: Guestctl, *options: str) -> Path:
    """A file of what `facts` prints."""
    file = guestctl.state / "facts"
    file.write_text(guestctl.run("facts", *options).stdout)
    return file


def planned(guestctl: Guestctl, file: Path, *options: str) -> str:
    """What `plan --facts` prints; it goes with no connection, unlike what else is run."""
    argv = guestctl.argv("plan", *options, "--facts", str(file))
    first = argv.index("-c")
    return guestctl.daemon.run(argv[:first] + argv[first + 4 :]).stdout


@pytest.mark.parametrize("options", [[], ["--json"], ["--boot"], ["--boot", "--json"]])
def test_the_plans_are_those_of_the_host(guestctl: Guestctl, options: list[str]) -> None:
    here = guestctl.run("plan", *options).stdout
    assert planned(guestctl, record(guestctl), *options) == here
    assert all(name in here or "--json" in options for name in (WEB, PAUSED, TRANSIENT))


def test_masked_they_are_the_same_but_for_names(guestctl: Guestctl) -> None:
    file = record(guestctl, "--mask")
    text = file.read_text()
    own = ("web", "saved\\\\by", "trans ient", "Monday", *map(guestctl.daemon.id_of, NAMES[:3]))
    assert [name for name in (*own, str(guestctl.daemon.folder)) if name in text] == []
    for boot in ([], ["--boot"]):
        here = guestctl.json("plan", *boot)
        there = json.loads(planned(guestctl, file, "--json", *boot))
        for guest in (*here, *there):
            del guest["name"], guest["uuid"]
        # A hold's own words are masked; they are why the guest stays down.
        held = [guest for guest in here if guest.get("next_boot") == "held"]
        assert [guest["reason"] for guest in held] == ["held by nobody: until Monday"] * len(boot)
        for guest in held:
            guest["reason"] = "hold-1"
        assert there == here


def test_a_story_can_be_told_of_them(guestctl: Guestctl) -> None:
    specs, room = parse_facts(record(guestctl, "--mask").read_text())
    script = Script(specs, room, Config(), parse_events("0s preserve\n+1s start\n"))
    [_, down], [_, up] = run_script(script).runs
    outcomes = sorted(str(guest.outcome) for guest in down.guests)
    assert outcomes == ["saved", "saved", "shut-down"]
    # Of the third the facts have a save, and what is wanted of it is the real host's to know.
    assert sorted(str(guest.outcome) for guest in up.guests) == ["held", "resumed", "resumed"]
