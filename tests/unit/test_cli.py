"""The command line as scripts see it: exit statuses, and the fields of its JSON."""

from __future__ import annotations

from argparse import Namespace

import pytest

from guestctl.cli import units
from guestctl.cli.arguments import parse
from guestctl.cli.main import main
from tests.unit.command import TEST, TEST_UUID, Command
from tests.unit.prepared import ODD_NAME

VERBS = [
    *("list", "plan", "facts", "why", "history", "check"),
    *("shutdown", "start", "hold", "release"),
]


# Usage

WRONG_USAGE: list[tuple[list[str], str]] = [
    (["frobnicate"], 'there is no verb "frobnicate"; there are: shutdown, start'),
    (["stop"], 'there is no verb "stop"; did you mean "shutdown"?'),
    (["lsit"], 'there is no verb "lsit"; did you mean "list"?'),
    (["restore"], 'did you mean "start"?'),
    (["shed", "--order", "20", "web"], "--order goes with no guests"),
    (["shed", "--order", "-1"], "from 0 to 999999"),
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
    (["shutdown", "--preserve", "--within", "upsc:"], 'expected "upsc:NAME@HOST"'),
    (["plan", "--within", "upsc:-l"], "a UPS is named NAME@HOST"),
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
libraries = {"libvirt", "rich", "dbus_fast", "dbus_next"}
heavy = ({"asyncio", "sqlite3", "subprocess"} | libraries) & sys.modules.keys()
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
