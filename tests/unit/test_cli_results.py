"""The command line: what its verbs do and print, for people and for programs."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess

import pytest

from guestctl.cli.act import _say_where_they_went
from guestctl.control.replies import PastRunInFull
from guestctl.ledger.file import connect, transaction
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestFacts, GuestId, State
from guestctl.model.history import PastGuest, PastRun
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.result import Trigger
from tests.ledgers import clock, taking_down
from tests.unit.command import LIMIT, TEST, Command
from tests.unit.prepared import ODD_NAME, give, prepare

# The contract: JSON

LIST_FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "uuid": (str,),
    "uri": (str,),
    "state": (str,),
    "saved": (bool,),
    "wanted": (str,),
    "stopped_by": (str, type(None)),
    "autostart": (bool,),
    "held": (str, type(None)),
    "next_boot": (str,),
}


def test_list(command: Command, node: str) -> None:
    found = json.loads(command.run("list", "-c", node, "--json").stdout)
    for row in found:
        assert row.keys() >= LIST_FIELDS.keys()
        assert all(isinstance(row[field], kinds) for field, kinds in LIST_FIELDS.items())
    assert [(row["name"], row["state"], row["wanted"], row["next_boot"]) for row in found] == [
        ("-dash", "running", "on", "resume"),
        (ODD_NAME, "shut off", "off", "stay-down"),
        ("passing", "running", "on", "stay-down"),
    ]
    assert [row["stopped_by"] for row in found] == [None, "unknown", None]


RESULT_FIELDS = {"name", "outcome", "steps", "seconds", "reason"}


def test_shutdown_preserve(command: Command) -> None:
    found = command.json("shutdown", "--preserve")
    assert found["ok"] is True
    (guest,) = found["guests"]
    assert guest.keys() >= RESULT_FIELDS
    assert (guest["name"], guest["outcome"]) == ("test", "saved")
    assert [(step["step"], step["end"]) for step in guest["steps"]] == [("save", "done")]


def test_shutdown_of_a_named_guest_is_wanted_off(command: Command) -> None:
    (guest,) = command.json("shutdown", "test")["guests"]
    assert (guest["outcome"], guest["steps"][0]["step"]) == ("shut-down", "shutdown")
    asked, planned = json.loads(command.run("why", "--json", "test").stdout)[:2]
    assert asked[:2] == ["operator:nobody", "guestctl shutdown -c test:///default --json test"]
    assert planned[0] == "guestctl:shutdown"


def test_a_shutdown_says_how_it_is_undone(command: Command) -> None:
    out = command.run("shutdown", "-c", TEST, "--all").stdout.splitlines()
    undo = "to bring just those back: guestctl start --run 1"
    assert out[-1] == f"off from now on: test; {undo}"
    # Each process has a test driver of its own: there the guest is up, so it is nobody's to undo.
    again = command.run("start", "-c", TEST)
    assert again.stdout.splitlines()[0].startswith("restore of 0 guests")
    assert again.stdout.splitlines()[-1] == "no guest to act on"
    (guest,) = command.json("start", "--run", "1")["guests"]
    assert (guest["name"], guest["reason"]) == ("test", "it is already up")
    nothing = command.run("start", "-c", TEST, "--run", "77", status=2).stderr
    assert "cannot start the guests of run 77" in nothing


def test_who_was_started_since_is_not_said_to_be_off(capsys: pytest.CaptureFixture[str]) -> None:
    guests = [PastGuest(name, Outcome.SHUT_DOWN, "", name, TEST) for name in ("web", "db")]
    run = PastRun(7, RunKind.SHUTDOWN, Trigger.COMMAND, "boot", 1, 2, 3, True)
    past = [PastRunInFull(run, guests, [])]
    _say_where_they_went(past, {GuestId(TEST, "db")})
    assert ": db; to bring just those back: guestctl start --run 7" in capsys.readouterr().out
    _say_where_they_went(past, set())
    assert capsys.readouterr().out == ""


def test_shutdown_of_a_guest_that_is_down_is_wanted_off(command: Command, node: str) -> None:
    """A guest that a run took down is owed a start, until somebody says otherwise."""
    command.state.mkdir(parents=True)
    there = GuestId(node, "00000000-0000-4000-8000-000000000002")
    taken = GuestFacts(there, ODD_NAME, State.RUNNING)
    db = connect(command.ledger)
    with transaction(db):
        Ledger(db, clock()).note_up(taken, "boot")
        taking_down(Ledger(db, clock()), taken)
    db.close()
    give(command)

    def wanted() -> tuple[str, str]:
        rows = json.loads(command.run("list", "-c", node, "--json").stdout)
        (row,) = (row for row in rows if row["name"] == ODD_NAME)
        return row["wanted"], row["stopped_by"]

    assert wanted() == ("on", "host")
    command.run("shutdown", "-c", node, ODD_NAME)
    assert wanted() == ("off", "operator")


def test_start(command: Command) -> None:
    """The test driver's guest runs, so there is nothing to do, even by name."""
    assert command.json("start") == {
        "ok": True,
        "run": 1,
        "interrupted": False,
        "unreadable": {},
        "guests": [],
    }
    (guest,) = command.json("start", "test")["guests"]
    assert guest.keys() >= RESULT_FIELDS
    assert (guest["outcome"], guest["reason"]) == ("skipped", "it is already up")


def test_a_wanted_guest_that_is_no_more_is_named(command: Command) -> None:
    prepare(command)
    db = sqlite3.connect(command.ledger)
    db.execute("UPDATE guest SET uuid = '00000000-0000-4000-8000-000000000009', name = 'lost'")
    db.commit()
    db.close()
    give(command)
    (guest,) = command.json("start", status=1)["guests"]
    assert (guest["name"], guest["outcome"]) == ("lost", "gone")


RUN_FIELDS = {
    "id",
    "kind",
    "trigger",
    "boot",
    "pid",
    "begun",
    "ended",
    "ok",
    "user",
    "origin",
    "command",
    "under_way",
    "guests",
    "steps",
}


def test_the_trail_and_the_history_tell_what_was_done(command: Command) -> None:
    command.json("shutdown", "--preserve")
    trail = command.json("why", "test")
    assert all([type(part) for part in entry] == [str, str, int] for entry in trail)
    assert [entry[2] for entry in trail] == sorted(entry[2] for entry in trail)
    assert {source for source, _, _ in trail} == {"operator:nobody", "guestctl:preserve"}
    assert trail[1][1].startswith("command: save (at most 10min), then shutdown")
    assert trail[-1][1].startswith("saved by an operator (observed): a run of guestctl")
    (run,) = command.json("history")
    assert run.keys() == RUN_FIELDS
    assert run["steps"][0].keys() == {"name", "step", "begun", "ended", "end", "reason"}
    assert run["guests"][0].keys() >= {"name", "outcome", "reason", "begun", "ended"}
    assert (run["kind"], run["trigger"], run["ok"]) == ("preserve", "command", True)
    command_line = "guestctl shutdown -c test:///default --json --preserve"
    assert (run["user"], run["command"]) == ("nobody", command_line)
    assert [(g["name"], g["outcome"]) for g in run["guests"]] == [("test", "saved")]
    assert command.run("why", "test").stdout.count("guestctl:preserve") == len(trail) - 1
    told = command.run("history").stdout
    assert f"    by nobody: {command_line}" in told
    assert re.search(r"\n    test: saved after \d+\.\ds\n", told)
    assert command.run("history", "te*").stdout == told
    assert "no run of db is recorded yet" in command.run("history", "db", status=3).stderr


REASON = "its disk\x1b[2J changed"


def test_a_held_guest_is_preserved_and_stays_held_until_it_is_released(command: Command) -> None:
    command.run("hold", "-c", TEST, "--reason", REASON, "test")
    assert command.json("shutdown", "--preserve")["guests"][0]["outcome"] == "saved"
    (row,) = command.json("list")
    assert (row["held"], row["next_boot"]) == (f"held by nobody: {REASON}", "held")
    words, hold = command.json("why", "test")[:2]
    assert words[0].startswith("operator:")
    assert words[1] == REASON
    assert hold[0] == "guestctl:hold"
    command.run("release", "-c", TEST, "--reason", "it was the cable", "test")
    assert command.json("list")[0]["held"] is None
    words, release = command.json("why", "test")[-2:]
    assert words[0].startswith("operator:")
    assert words[1] == "it was the cable"
    assert release[:2] == ["guestctl:release", "released, and wanted on"]
    again = command.run("release", "-c", TEST, "test").stdout
    assert again == "test: was not held; it is wanted on already\n"


def test_a_reason_goes_to_the_trail(command: Command) -> None:
    command.json("shutdown", "--reason", "its licence ran out", "test")
    source, reason, _ = command.json("why", "test")[0]
    assert source.startswith("operator:")
    assert reason == "its licence ran out"


def test_a_reason_that_is_not_utf8_is_no_error(command: Command) -> None:
    argv = [os.fsencode(part) for part in command.argv("hold", "-c", TEST, "test", "--reason")]
    result = subprocess.run(
        [*argv, b"g\xffst"], check=False, capture_output=True, timeout=LIMIT, **command.options()
    )
    assert b"Traceback" not in result.stderr
    held = command.json("list")[0]["held"]
    assert (result.returncode == 0) == (held is not None)


def test_how_long_it_takes_is_not_known_before_the_first_time(command: Command) -> None:
    last = command.run("plan", "-c", TEST).stdout.splitlines()[-1]
    assert last == "in all: nothing is known yet; at most 25min 15s"


def test_the_plan_of_the_next_boot(command: Command) -> None:
    (guest,) = command.json("plan", "--boot")
    in_time = {"begins", "seconds", "basis", "ends"}
    assert guest.keys() == {"name", "uuid", "uri", "state", "next_boot", "reason"} | in_time
    assert (guest["begins"], guest["basis"]) == (0, "default")
    assert (guest["next_boot"], guest["reason"]) == ("resume", "it is running")
