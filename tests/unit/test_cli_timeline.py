"""`plan` in time: bars on a terminal, numbers for programs, words for what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Shutdown
from guestctl.control.facts_text import to_text
from guestctl.decisions.host_facts import HostFacts
from guestctl.model.history import PastShutdown
from guestctl.model.options import Scope
from guestctl.model.save import SaveRecord, SaveState
from tests.unit.command import Command
from tests.unit.makers import BOOT, URI, guest
from tests.unit.terminals import on_terminal

GIB = 2**30
LONG_NAME = "a-name-that-is-longer-than-any-column-has-room-for"


@pytest.fixture
def facts(command: Command) -> Path:
    """A database that is saved, an application that comes after it, and what is shut down."""
    guests = (
        guest("db", 1, memory=8 * GIB),
        guest("app", 2, memory=2 * GIB),
        guest(LONG_NAME, 3, memory=GIB),
    )
    tables = (
        GuestOverride("app", {"after": ("db",)}),
        GuestOverride("db", {"save": Scope.NONE, "after": ("a-*",)}),
    )
    took = {"db": 40.0, "app": 20.0}
    made = HostFacts(
        BOOT,
        0,
        (URI,),
        True,
        True,
        Config(shutdown=Shutdown(parallel=2), guests=tables),
        guests=guests,
        saves=tuple(
            SaveRecord(one.id, one.memory, "", took[one.name], SaveState.RESUMED, None)
            for one in guests
            if one.name in took
        ),
        shutdowns=(PastShutdown(guests[0].id, 40.0),),
        may_see=True,
    )
    file = command.home / "facts"
    file.write_text(to_text(made))
    return file


def screen(command: Command, facts: Path, *options: str, columns: int = 80, term: str = "") -> str:
    """What stands on a terminal."""
    argv = command.argv("plan", "--facts", str(facts), *options)
    chosen = command.options({"TERM": term or "xterm", "NO_COLOR": "1", "COLUMNS": ""})
    shown = on_terminal(
        argv, columns=columns, env=chosen["env"], user=chosen.get("user"), folder=str(command.home)
    )
    return shown.replace("\r", "")


def chart(text: str) -> list[str]:
    lines = text.splitlines()
    (at,) = (n for n, line in enumerate(lines) if "BEGINS" in line)
    return lines[at : at + 4]


def test_a_bar_for_each_guest(command: Command, facts: Path) -> None:
    heading, long, app, db = chart(screen(command, facts))
    assert heading.split()[:5] == ["NAME", "STEP", "BEGINS", "TAKES", "GOES"]
    assert heading.rstrip().endswith("47s")
    assert max(map(len, (heading, long, app, db))) <= 80
    assert db.split()[:5] == ["db", "shutdown", "0.0s", "40s", "own"]
    assert db.count("#") == pytest.approx(2 * app.count("#"), abs=1)
    assert long.split()[4] == "like"
    assert "…" in long
    assert long.split()[5].startswith("...")


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_it_fits_whatever_terminal_there_is(command: Command, facts: Path, columns: int) -> None:
    shown = screen(command, facts, "--within", "60s", columns=columns, term="dumb")
    assert max(map(len, chart(shown))) <= columns
    assert ("#" in shown) == (columns > 60)
    assert "\x1b" not in shown


def test_a_pipe_gets_no_bars(command: Command, facts: Path) -> None:
    shown = command.run("plan", "--facts", facts).stdout
    assert "#" not in shown
    assert LONG_NAME in chart(shown)[1]


def test_the_deadline_is_marked_and_what_does_not_fit_is_said(
    command: Command, facts: Path
) -> None:
    shown = screen(command, facts, "--within", "60s", columns=120)
    assert "| is the deadline, after 60s" in shown
    assert all("|" in line for line in chart(shown)[1:])
    tight = command.run("plan", "--facts", facts, "--within", "30s").stdout
    assert "app: no save: it takes about 20s, and 10s are left for it; then shutdown" in tight
    assert "db: shutdown is given up after 21s: it takes about 40s" in tight
    assert f"{LONG_NAME}: does not wait for db: there is no time for that order" in tight


def test_the_next_boot_in_time(command: Command, facts: Path) -> None:
    shown = screen(command, facts, "--boot")
    heading, *lines = chart(shown)
    assert heading.split()[:2] == ["NAME", "STEP"]
    assert [line.split()[1] for line in lines] == ["resume", "resume", "start"]
    assert shown.splitlines()[-1].startswith("in all: ")
    found = json.loads(command.run("plan", "--boot", "--json", "--facts", facts).stdout)
    times = {one["name"]: (one["begins"], one["ends"]) for one in found}
    assert times[LONG_NAME][1] <= times["db"][0] <= times["db"][1] <= times["app"][0]


def test_numbers_for_programs(command: Command, facts: Path) -> None:
    def read(*options: str) -> dict[str, dict[str, object]]:
        found = json.loads(command.run("plan", "--facts", facts, "--json", *options).stdout)
        return {one["name"]: one for one in found}

    plan = read()
    assert (plan["app"]["begins"], plan["app"]["seconds"], plan["app"]["basis"]) == (0, 20, "own")
    assert (plan["db"]["ends"], plan["db"]["left"], plan["db"]["fits"]) == (40, 1460, True)
    assert plan[LONG_NAME]["order_given_up"] == []
    tight = read("--within", "30s")
    assert tight[LONG_NAME]["order_given_up"] == ["db"]
    assert (tight["db"]["expected"], tight["db"]["fits"]) == ("powered-off", False)
    steps = tight["db"]["in_time"]
    assert isinstance(steps, list)
    assert [(step["step"], step["end"]) for step in steps] == [
        ("shutdown", "timed out"),
        ("poweroff", "done"),
    ]
