"""The command line as scripts see it: exit statuses, and the fields of its JSON."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from argparse import Namespace

import pytest

from guestctl.cli import units
from guestctl.cli.arguments import parse
from guestctl.cli.main import main
from guestctl.ledger.file import connect, transaction
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestFacts, GuestId, State
from tests.ledgers import clock, taking_down
from tests.unit.command import LIMIT, TEST, TEST_UUID, Command
from tests.unit.prepared import ODD_NAME, give, prepare

VERBS = [
    *("list", "plan", "facts", "why", "history", "check"),
    *("shutdown", "start", "hold", "release"),
]


# Usage

WRONG_USAGE: list[tuple[list[str], str]] = [
    (["frobnicate"], 'there is no verb "frobnicate"; there are: shutdown, start'),
    (["stop"], 'there is no verb "stop"; did you mean "shutdown"?'),
    (["lsit"], 'there is no verb "lsit"; did you mean "list"?'),
    (["resume"], 'did you mean "start"?'),
    (["start", "--run", "0"], "expected the number of a run"),
    (["start", "--run", "1", "web"], "--run names the guests itself"),
    (["--frobnicate", "list"], "--frobnicate"),
    (["facts", "extra"], "extra"),
    (["list", "--js"], "--js"),
    (["list", "-c"], "expected one argument"),
    (["why"], "GUEST"),
    (["hold"], "GUEST"),
    (["release"], "GUEST"),
    (["shutdown"], "name guests, or say --all, or --preserve"),
    (["shutdown", "--all", "--preserve"], "--all goes with neither"),
    (["shutdown", "--all", "web"], "--all goes with neither"),
    (["shutdown"], "usage: guestctl shutdown"),
    (["facts", "extra"], "usage: guestctl facts"),
    (["shutdown", "--preserve", "--within", "0s"], "more than 0s"),
    (["shutdown", "--preserve", "--within", "3x"], 'such as "90s" or "5min", not "3x"'),
    (["shutdown", "--preserve", "--within", "infinity"], "(it must have an end)"),
    (["history", "-n", "0"], "from 1 to 1000"),
    (["history", "-n", "1001"], "from 1 to 1000"),
    (["history", "-n", "²"], "from 1 to 1000"),
    (["history", "-n", "many"], "from 1 to 1000"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG_USAGE)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_guestctl_alone_is_its_status() -> None:
    assert parse([]).verb == "status"
    assert (parse(["-c", "a:b"]).verb, parse(["-c", "a:b"]).connect) == ("status", "a:b")


def test_help_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last line broke in the midst of a word."""
    monkeypatch.setenv("COLUMNS", "80")
    for argv in (["--help"], *([verb, "--help"] for verb in VERBS)):
        with pytest.raises(SystemExit):
            parse(argv)
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_wrong_usage_is_exit_status_2(command: Command) -> None:
    result = command.run("shutdown", status=2)
    assert result.stdout == ""
    assert "usage: guestctl" in result.stderr


@pytest.mark.parametrize("arguments", [["-c", "a:b", "list"], ["list", "-c", "a:b"]])
def test_common_options_stand_before_or_after_the_verb(arguments: list[str]) -> None:
    assert parse(arguments).connect == "a:b"


@pytest.mark.parametrize(
    "arguments", [["--preserve", "-q", "a", "b"], ["a", "b", "-q", "--preserve"]]
)
def test_names_may_be_given_before_or_after_options(arguments: list[str]) -> None:
    found = parse(["shutdown", *arguments])
    assert (found.guests, found.preserve, found.quiet) == (["a", "b"], True, True)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([verb, "--help"])
    assert caught.value.code == 0
    assert f"guestctl {verb}" in capsys.readouterr().out


_HEAVY = """
import sys
from guestctl.cli import main
sys.argv[1:] = ["--help"]
main._run()
heavy = {"libvirt", "rich", "asyncio", "sqlite3", "dbus_next", "subprocess"} & sys.modules.keys()
print("heavy:", *sorted(heavy))
"""


def test_help_is_instant(command: Command) -> None:
    """It imports nothing that takes its time."""
    result = command.python("-c", _HEAVY)
    assert result.stdout.splitlines()[-1] == "heavy:"
    assert all(f"    {verb}" in result.stdout for verb in VERBS)


_SERVICE = """
import sys
from guestctl.service import daemon
print("heavy:", *sorted({"rich", "gi", "unittest"} & sys.modules.keys()))
"""


def test_the_service_keeps_nothing_in_memory_that_it_has_no_use_for(command: Command) -> None:
    assert command.python("-c", _SERVICE).stdout.splitlines() == ["heavy:"]


def test_version(command: Command) -> None:
    assert command.run("--version").stdout.startswith("guestctl ")


# Guests that are meant, or not


def test_unknown_guests_are_all_named_and_nothing_is_done(command: Command) -> None:
    for verb in ("shutdown", "start", "hold"):
        result = command.run(verb, "-c", TEST, "test", "nobody", "", status=2)
        assert result.stdout == ""
        assert result.stderr.splitlines() == [
            'guestctl: cannot find "nobody": no guest has this name or UUID',
            'guestctl: cannot find "": no guest has this name or UUID',
        ]
    assert command.json("history") == []
    assert command.json("list")[0]["held"] is None


def test_a_pattern_is_no_name_for_what_takes_guests_down(command: Command) -> None:
    assert 'cannot find "t*"' in command.run("shutdown", "-c", TEST, "t*", status=2).stderr
    assert "test: held by" in command.run("hold", "-c", TEST, "t*").stdout


def test_a_guest_may_be_named_by_its_uuid(command: Command) -> None:
    command.run("hold", "-c", TEST, TEST_UUID.upper())
    assert command.json("list")[0]["held"] == "held by nobody"


def test_nothing_recorded_is_nothing_to_say(command: Command) -> None:
    result = command.run("why", "-c", TEST, "tset", status=2)
    assert 'nothing is recorded of "tset"' in result.stderr
    assert 'did you mean "test"?' in result.stderr


def test_a_guest_without_a_trail_is_no_error(command: Command) -> None:
    out = command.run("why", "-c", TEST, "test").stdout.splitlines()
    assert out == [
        "test: running",
        "    wanted on: it is running",
        "    next boot: resume: it is running",
        "nothing is recorded of it yet in this user's ledger; that of the host is root's",
    ]
    assert command.json("why", "test") == []


def test_how_things_stand_comes_before_how_it_came_about(command: Command) -> None:
    command.run("hold", "-c", TEST, "--reason", "its disk", "test")
    present, *trail = command.run("why", "-c", TEST, "test").stdout.split("\n20")
    assert present.splitlines()[1] == "    held by nobody: its disk"
    assert "    next boot: held: held by nobody: its disk" in present
    assert [line.split("  ")[1] for line in trail] == ["operator:nobody", "guestctl:hold"]
    shown = command.run("status", "-c", TEST, "te*", status=1).stdout
    assert shown.strip() == present


def test_the_trail_of_a_guest_on_one_connection(command: Command, node: str) -> None:
    command.run("hold", "-c", TEST, "test")
    trail = command.run("why", "-c", TEST, "--json", "test").stdout
    assert trail == command.run("why", "--json", "test").stdout
    command.run("why", "-c", node, "test", status=2)


@pytest.mark.parametrize("verb", ["hold", "start"])
def test_names_with_a_leading_dash_come_after_two_dashes(
    command: Command, node: str, verb: str
) -> None:
    assert "-dash" in command.run(verb, "-c", node, "--", "-dash").stdout


def test_oddly_named_guests_can_be_named(command: Command, node: str) -> None:
    assert command.run("hold", "-c", node, ODD_NAME).stdout.startswith(f"{ODD_NAME}: held")


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
    # Each process has a test driver of its own: there the guest is up.
    again = command.run("start", "-c", TEST)
    assert again.stdout.splitlines()[0].startswith("restore of 0 guests")
    assert f"test; {undo}" in again.stdout.splitlines()[-1]
    (guest,) = command.json("start", "--run", "1")["guests"]
    assert (guest["name"], guest["reason"]) == ("test", "it is already up")
    nothing = command.run("start", "-c", TEST, "--run", "77", status=2).stderr
    assert "cannot start the guests of run 77" in nothing


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
    assert guest.keys() == {"name", "uuid", "uri", "state", "next_boot", "reason"}
    assert (guest["next_boot"], guest["reason"]) == ("resume", "it is running")


# What the units of 0.1 call: systemd may hold one of them still

OLD_UNITS = {
    "shutdown --preserve --if-host-stops": "unit guard",
    "start --boot": "unit fallback",
    "daemon --claim-autostart": "unit autostart",
}


@pytest.mark.parametrize(("old", "new"), OLD_UNITS.items())
def test_units_of_the_last_version_still_work(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    done: list[Namespace] = []
    monkeypatch.setattr(units, "unit_verb", done.append)
    main(old.split())
    assert [f"unit {asked.job}" for asked in done] == [new]


def test_what_a_unit_runs_is_nobodys_command(command: Command) -> None:
    command.run("unit", "fallback", "-c", TEST)
    (run,) = command.json("history")
    assert (run["trigger"], run["user"], run["command"]) == ("boot", None, None)
