"""The command line as scripts see it: exit statuses, what is printed where, what is touched."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from guestctl.cli.arguments import parse
from guestctl.ledger.file import connect, transaction
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestFacts, GuestId, State
from tests.unit.command import LIMIT, TEST, TEST_UUID, Command

VERBS = ["list", "plan", "why", "history", "shutdown", "start", "hold", "release", "check"]

_NODE = """
<node>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <name>-dash</name><uuid>00000000-0000-4000-8000-000000000001</uuid>
    <memory>1024</memory><os><type>hvm</type></os>
  </domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <name>gäst [bold]x &amp; "q" %s</name><uuid>00000000-0000-4000-8000-000000000002</uuid>
    <memory>1024</memory><os><type>hvm</type></os><test:runstate>5</test:runstate>
  </domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <name>passing</name><uuid>00000000-0000-4000-8000-000000000003</uuid>
    <memory>1024</memory><os><type>hvm</type></os><test:transient/>
  </domain>
</node>
"""
ODD_NAME = 'gäst [bold]x & "q" %s'


@pytest.fixture
def node(command: Command) -> str:
    """A connection with oddly named guests: one up, one off, one transient."""
    file = command.home / "node.xml"
    file.write_text(_NODE, "utf-8")
    return f"test://{file}"


#: The test driver's guest, as a ledger would note it.
RUNNING = GuestFacts(GuestId(TEST, TEST_UUID), "test", State.RUNNING)


def prepare(command: Command, *reasons: str) -> None:
    """A ledger that knows the test driver's guest, readable by the command's user."""
    command.state.mkdir(parents=True)
    db = connect(command.ledger)
    ledger = Ledger(db, iter(range(1, 1000)).__next__)
    with transaction(db):
        ledger.seen_up(RUNNING, "another boot")
        for reason in reasons:
            ledger.trail.add(RUNNING.id, "source", reason)
    db.close()
    give(command)


def give(command: Command) -> None:
    """Have everything in the home belong to the command's user."""
    if os.geteuid() == 0:
        owner = command.home.stat()
        for path in command.home.rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid)


# Usage

WRONG_USAGE: list[tuple[list[str], str]] = [
    ([], "VERB"),
    (["frobnicate"], "frobnicate"),
    (["--frobnicate", "list"], "--frobnicate"),
    (["list", "extra"], "extra"),
    (["list", "--js"], "--js"),
    (["list", "-c"], "expected one argument"),
    (["why"], "GUEST"),
    (["hold"], "GUEST"),
    (["release"], "GUEST"),
    (["shutdown"], "name guests, or say --all, or --preserve"),
    (["shutdown", "--all", "--preserve"], "--all goes with neither"),
    (["shutdown", "--all", "web"], "--all goes with neither"),
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


def test_a_pattern_is_no_name(command: Command) -> None:
    assert 'cannot find "t*"' in command.run("start", "-c", TEST, "t*", status=2).stderr


def test_a_guest_may_be_named_by_its_uuid(command: Command) -> None:
    command.run("hold", "-c", TEST, TEST_UUID.upper())
    assert command.json("list")[0]["held"] == "held by the operator"


def test_nothing_recorded_is_nothing_to_say(command: Command) -> None:
    result = command.run("why", "-c", TEST, "test", status=2)
    assert 'nothing is recorded of "test"' in result.stderr


@pytest.mark.parametrize("verb", ["hold", "start"])
def test_names_with_a_leading_dash_come_after_two_dashes(
    command: Command, node: str, verb: str
) -> None:
    assert "-dash" in command.run(verb, "-c", node, "--", "-dash").stdout


def test_oddly_named_guests_can_be_named(command: Command, node: str) -> None:
    assert command.run("hold", "-c", node, ODD_NAME).stdout.startswith(f"{ODD_NAME}: held")


# Configuration


def test_every_problem_of_the_configuration_is_told_and_nothing_is_done(command: Command) -> None:
    file = command.home / "wrong.toml"
    file.write_text("[shutdown]\nsvae = 1\nparallel = 99\n[[guest]]\n")
    for verb in (["plan"], ["shutdown", "--preserve"]):
        result = command.run(*verb, "-c", TEST, "--config", file, status=2)
        assert result.stdout == ""
        assert result.stderr.splitlines() == [
            "guestctl: cannot use the configuration:",
            f'guestctl: {file}:2: shutdown.svae: unknown key; did you mean "save"?',
            f"guestctl: {file}:3: shutdown.parallel: expected a whole number from 1 to 16, not 99",
            f"guestctl: {file}:4: guest[1].match: expected a name, a pattern such as"
            ' "db-*", or a UUID',
        ]
    assert not command.state.exists()


def test_check(command: Command) -> None:
    good, bad = command.home / "good.toml", command.home / "bad.toml"
    good.write_text("[boot]\nretries = 1\n")
    bad.write_text("[boot]\nretries = -1\nretires = 1\n")
    assert "no problems" in command.run("check", good).stdout
    assert command.run("check", bad, status=2).stderr.count("bad.toml:") == 2
    found = json.loads(command.run("check", "--json", bad, status=2).stdout)
    assert [(p["severity"], p["file"], p["line"], p["key"]) for p in found] == [
        ("problem", str(bad), 2, "boot.retries"),
        ("problem", str(bad), 3, "boot.retires"),
    ]
    assert json.loads(command.run("check", "--json", good).stdout) == []
    assert "cannot be read" in command.run("check", command.home / "absent", status=2).stderr


def test_check_shows_what_is_in_effect(command: Command) -> None:
    good, bad = command.home / "good.toml", command.home / "bad.toml"
    good.write_text('[boot]\nretries = 1\n[[guest]]\nmatch = "db"\n')
    shown = command.run("check", "--show", good).stdout
    assert f"retries = 1  # {good}:2\n" in shown
    (command.home / "again.toml").write_text(shown)
    values = json.loads(command.run("check", "--show", "--json", good).stdout)
    assert values[-1] == {
        "section": "guest",
        "key": "match",
        "value": "db",
        "match": "db",
        "file": str(good),
        "line": 4,
    }
    assert {value["file"] for value in values} == {None, str(good)}
    again = json.loads(command.run("check", "--show", "--json", "again.toml").stdout)
    assert [v["value"] for v in again] == [v["value"] for v in values]
    bad.write_text("[boot]\nretries = -1\n")
    refused = command.run("check", "--show", bad, status=2)
    assert (refused.stdout, refused.stderr.count("bad.toml:2:")) == ("", 1)


PLAN_FIELDS = {"name", "uuid", "uri", "state", "steps", "left_out", "outcome", "reason"}


def test_policy_comes_from_the_configuration(command: Command) -> None:
    file = command.home / "some.toml"
    file.write_text(f'[[guest]]\nmatch = "{TEST_UUID.upper()}"\nsave = "none"\n')
    (plan,) = command.json("plan", "--config", file)
    assert plan.keys() == PLAN_FIELDS
    assert [step["step"] for step in plan["steps"]] == ["shutdown", "poweroff"]
    assert plan["left_out"] == {"save": 'policy: save = "none"'}


# Connections

REMOTE = "qemu+ssh://guestctl.invalid/system"


@pytest.mark.parametrize("verb", [["shutdown", "--preserve"], ["start"], ["hold", "x"]])
def test_acting_on_another_host_is_refused_before_anything_is_connected(
    command: Command, verb: list[str]
) -> None:
    result = command.run(*verb, "-c", REMOTE, status=2)
    assert f"cannot act on {REMOTE}: it uses the transport ssh" in result.stderr
    assert "run guestctl there" in result.stderr
    assert not command.state.exists()


NOWHERE = "qemu+unix:///session?socket=/nonexistent/sock"


@pytest.mark.parametrize("verb", [["list"], ["shutdown", "--preserve"]])
def test_no_hypervisor(command: Command, verb: list[str]) -> None:
    result = command.run(*verb, "-c", NOWHERE, status=4)
    assert f"guestctl: cannot connect to {NOWHERE}: " in result.stderr
    assert result.stderr.count("cannot connect") == 1


@pytest.mark.parametrize("verb", [["list"], ["shutdown", "--preserve"]])
def test_one_connection_of_two(command: Command, verb: list[str]) -> None:
    """What is behind the other one is unknown, and that is not well."""
    file = command.home / "two.toml"
    file.write_text(f'uris = ["{TEST}", "{NOWHERE}"]\n')
    result = command.run(*verb, "--config", file, "--json", status=1)
    assert f"cannot connect to {NOWHERE}" in result.stderr
    found = json.loads(result.stdout)
    if verb == ["list"]:
        assert [row["name"] for row in found] == ["test"]
    else:
        assert found["ok"] is False
        assert list(found["unreadable"]) == [NOWHERE]


def test_guests_behind_a_lost_connection_are_listed_as_unknown(command: Command) -> None:
    command.state.mkdir(parents=True)
    db = connect(command.ledger)
    lost = GuestFacts(GuestId(NOWHERE, TEST_UUID), "lost", State.RUNNING)
    with transaction(db):
        Ledger(db, lambda: 1).seen_up(lost, "boot")
    db.close()
    give(command)
    (row,) = json.loads(command.run("list", "-c", NOWHERE, "--json", status=4).stdout)
    assert (row["name"], row["state"], row["wanted"]) == ("lost", "unknown", "on")


@pytest.fixture
def forbidden(command: Command) -> Iterator[str]:
    """A connection by a socket that nobody but root may use, and root does not run this."""
    path = command.home / "sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0)
        server.listen()
        yield f"qemu+unix:///session?socket={path}"


@pytest.mark.parametrize("verb", ["list", "start"])
def test_not_permitted(command: Command, forbidden: str, verb: str) -> None:
    assert "Permission denied" in command.run(verb, "-c", forbidden, status=3).stderr


def test_the_systems_guests_are_roots(command: Command) -> None:
    result = command.run("shutdown", "--preserve", "-c", "qemu:///system", status=3)
    assert "use sudo" in result.stderr


@pytest.mark.parametrize("verb", [["list"], ["plan"], ["plan", "--boot"]])
def test_a_user_is_told_that_the_hosts_ledger_is_roots(command: Command, verb: list[str]) -> None:
    system = "qemu+unix:///system?socket=/nonexistent/sock"
    said = command.run(*verb, "-c", system, status=4).stderr
    assert "what is wanted of the host's guests" in said
    assert "only root can read" in said
    assert "only root can read" not in command.run(*verb, "-c", TEST).stderr


@pytest.mark.parametrize(
    "uris", [["qemu+ssh://guestctl.invalid/system"], ["qemu:///system", "qemu+unix:///system"]]
)
def test_connections_that_the_configuration_may_not_name(command: Command, uris: list[str]) -> None:
    file = command.home / "uris.toml"
    file.write_text(f"uris = {json.dumps(uris)}\n")
    said = command.run("check", file, status=2).stderr
    assert "expected a list of local libvirt URIs" in said


def test_a_run_that_is_ended_before_it_begins(command: Command) -> None:
    """While libvirt does not answer: nothing was done, and nothing is recorded."""
    path = command.home / "sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen()
        server.settimeout(LIMIT)
        uri = f"qemu+unix:///session?socket={path}"
        argv = command.argv("shutdown", "--preserve", "-c", uri)
        with subprocess.Popen(
            argv, stderr=subprocess.PIPE, text=True, **command.options()
        ) as process:
            connection, _ = server.accept()  # it has begun to ask
            process.terminate()
            _, said = process.communicate(timeout=LIMIT)
            connection.close()
    assert "Traceback" not in said
    assert process.returncode == 130
    assert command.json("history") == []


# The lock


def test_a_second_run_is_refused_and_told_who_runs_the_first(command: Command) -> None:
    command.state.mkdir(parents=True)
    holder = {"pid": 42, "what": "guestctl shutdown --preserve", "since": 0}
    (command.state / "run.json").write_text(json.dumps(holder))
    give(command)
    descriptor = os.open(command.state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        result = command.run("start", "-c", TEST, status=5)
    finally:
        os.close(descriptor)
    assert "another run has the lock: guestctl shutdown --preserve (process 42" in result.stderr


def test_reading_needs_no_lock(command: Command) -> None:
    prepare(command)
    descriptor = os.open(command.state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert command.json("list")
    finally:
        os.close(descriptor)


def _with_a_run(command: Command) -> None:
    """A ledger in which two runs have not ended."""
    prepare(command)
    db = sqlite3.connect(command.ledger)
    for number in (1, 2):
        db.execute(
            "INSERT INTO run (kind, door, boot, pid, begun) VALUES (?, ?, ?, ?, ?)",
            ("preserve", "command", "boot", 42, number),
        )
    db.commit()
    db.close()
    give(command)


def test_only_the_newest_run_can_be_under_way(command: Command) -> None:
    _with_a_run(command)
    descriptor = os.open(command.state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        newest, older = command.run("history").stdout.splitlines()
    finally:
        os.close(descriptor)
    assert newest.endswith("run 2: preserve (command), under way")
    assert older.endswith("run 1: preserve (command), cut off")
    assert "under way" not in command.run("history").stdout


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
    (known,) = json.loads(command.run("why", "--json", "test").stdout)[:1]
    assert known[0] == "guestctl:shutdown"


def test_shutdown_of_a_guest_that_is_down_is_wanted_off(command: Command, node: str) -> None:
    """A guest that a run took down is owed a start, until somebody says otherwise."""
    command.state.mkdir(parents=True)
    there = GuestId(node, "00000000-0000-4000-8000-000000000002")
    taken = GuestFacts(there, ODD_NAME, State.RUNNING)
    db = connect(command.ledger)
    with transaction(db):
        Ledger(db, lambda: 1).seen_up(taken, "boot")
        Ledger(db, lambda: 2).taking_down(taken)
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
    "guests",
    "steps",
}


def test_the_trail_and_the_history_tell_what_was_done(command: Command) -> None:
    command.json("shutdown", "--preserve")
    trail = command.json("why", "test")
    assert all([type(part) for part in entry] == [str, str, int] for entry in trail)
    assert [entry[2] for entry in trail] == sorted(entry[2] for entry in trail)
    assert {source for source, _, _ in trail} == {"guestctl:preserve"}
    assert trail[0][1].startswith("command: save (at most 10min), then shutdown")
    assert trail[-1][1].startswith("saved by the host (observed): a run of guestctl")
    (run,) = command.json("history")
    assert run.keys() == RUN_FIELDS
    assert run["steps"][0].keys() == {"name", "step", "begun", "ended", "end", "reason"}
    assert run["guests"][0].keys() == {"name", "outcome", "reason"}
    assert (run["kind"], run["trigger"], run["ok"]) == ("preserve", "command", True)
    assert [(g["name"], g["outcome"]) for g in run["guests"]] == [("test", "saved")]
    assert command.run("why", "test").stdout.count("guestctl:preserve") == len(trail)
    assert "    test: saved" in command.run("history").stdout


def test_a_held_guest_is_preserved_and_stays_held_until_it_is_released(command: Command) -> None:
    command.run("hold", "-c", TEST, "--reason", "its disk\x1b[2J changed", "test")
    assert command.json("shutdown", "--preserve")["guests"][0]["outcome"] == "saved"
    (row,) = command.json("list")
    assert (row["held"], row["next_boot"]) == ("its disk\x1b[2J changed", "held")
    command.run("release", "-c", TEST, "--reason", "it was the cable", "test")
    assert command.json("list")[0]["held"] is None
    words, release = command.json("why", "test")[-2:]
    assert words[0].startswith("operator:")
    assert words[1] == "it was the cable"
    assert release[0] == "guestctl:release"


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


def test_the_plan_of_the_next_boot(command: Command) -> None:
    (guest,) = command.json("plan", "--boot")
    assert guest.keys() == {"name", "uuid", "uri", "state", "next_boot", "reason"}
    assert (guest["next_boot"], guest["reason"]) == ("resume", "it is running")


# What is touched


def test_looking_touches_nothing(command: Command) -> None:
    for verb in ("list", "plan", "history"):
        command.run(verb, "-c", TEST)
    assert [file.name for file in command.home.rglob("*") if "guestctl" in str(file)] == []


def test_planning_does_not_change_the_ledger(command: Command) -> None:
    prepare(command, "kept")
    before = command.ledger.read_bytes()
    assert command.json("plan")
    assert command.ledger.read_bytes() == before
    assert [reason for _, reason, _ in command.json("why", "test")] == ["kept"]


def test_a_ledger_is_for_its_owner_alone(command: Command) -> None:
    command.run("hold", "-c", TEST, "test")
    assert command.state.stat().st_mode & 0o777 == 0o700


# Ledgers that are of no use


def _damage(command: Command) -> None:
    prepare(command, *("x" * 200 for _ in range(200)))
    content = command.ledger.read_bytes()
    command.ledger.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


@pytest.mark.parametrize("verb", [["list"], ["history"], ["start", "--boot"]])
def test_a_damaged_ledger_is_complained_of_and_done_without(
    command: Command, verb: list[str]
) -> None:
    _damage(command)
    assert "ledger" in command.run(*verb, "-c", TEST).stderr


def test_a_damaged_ledger_does_not_stop_a_shutdown(command: Command) -> None:
    _damage(command)
    assert command.json("shutdown", "--preserve")["guests"][0]["outcome"] == "saved"
    assert len(list(command.state.glob("ledger.db.damaged-*"))) == 1


def test_a_hold_that_cannot_be_kept_is_refused(command: Command) -> None:
    """Unlike a run, a hold is of no use if it is not remembered."""
    command.state.mkdir(parents=True)
    command.ledger.mkdir()
    give(command)
    assert "cannot write to the ledger" in command.run("hold", "-c", TEST, "test", status=1).stderr


def test_without_a_place_for_its_state_a_run_goes_on(command: Command) -> None:
    """Not well, though: nothing is remembered of what is wanted."""
    result = command.run(
        "shutdown", "--preserve", "-c", TEST, env={"XDG_STATE_HOME": "/proc/nowhere"}, status=1
    )
    assert "test: saved" in result.stdout
    assert "going on without" in result.stderr


def test_a_run_without_a_ledger_is_not_well_though_its_guests_are_saved(command: Command) -> None:
    command.state.mkdir(parents=True)
    command.ledger.mkdir()
    give(command)
    found = command.json("shutdown", "--preserve", status=1)
    assert found["ok"] is False
    assert list(found["unreadable"]) == ["ledger"]
    assert [(g["name"], g["outcome"]) for g in found["guests"]] == [("test", "saved")]


# Where output goes


def _with_stdout(command: Command, verb: list[str], redirection: str) -> Any:
    """Run with stdout redirected by a shell; the status of guestctl itself."""
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("there is no bash to redirect with")
    script = f'"$@" {redirection}; exit "${{PIPESTATUS[0]}}"'
    return subprocess.run(
        [shell, "-c", script, "-", *command.argv(*verb, "-c", TEST)],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        **command.options(),
    )


OUTPUT = [["list"], ["list", "--json"], ["shutdown", "--preserve"]]


@pytest.mark.parametrize("verb", OUTPUT)
def test_a_reader_that_has_had_enough_is_no_failure(command: Command, verb: list[str]) -> None:
    # `:` is gone long before the first line is written.
    result = _with_stdout(command, verb, "| :")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("verb", OUTPUT[:2])
def test_a_closed_stdout_is_no_failure(command: Command, verb: list[str]) -> None:
    result = _with_stdout(command, verb, ">&-")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_shutdown_needs_no_stream_at_all(command: Command) -> None:
    result = _with_stdout(command, ["shutdown", "--preserve"], ">&- 2>&- <&-")
    assert result.returncode == 0
    assert command.json("history")[0]["ok"] is True


@pytest.mark.parametrize("verb", [["list"], ["list", "--json"]])
def test_output_that_is_lost_is_a_failure(command: Command, verb: list[str]) -> None:
    """A full disk, say: a script must not take half a list for the whole."""
    result = _with_stdout(command, verb, ">/dev/full")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_terminal_that_lacks_letters_is_no_failure(
    command: Command, node: str, locale: dict[str, str]
) -> None:
    assert "st [bold]x" in command.run("list", "-c", node, env=locale).stdout
    named = json.loads(command.run("list", "--json", "-c", node, env=locale).stdout)
    assert ODD_NAME in [row["name"] for row in named]


def test_tables_are_whole_for_a_pipe(command: Command, node: str) -> None:
    """Whatever width the environment claims."""
    out = command.run("list", "-c", node, env={"COLUMNS": "20"}).stdout.splitlines()
    headings = "NAME STATE WANTED SAVED AUTOSTART STOPPED BY NEXT BOOT HELD"
    assert " ".join(out[0].split()) == headings
    assert len(out) == 4
    assert any(line.startswith(f"{ODD_NAME}  shut off") for line in out)


def test_quiet_says_nothing_when_all_is_well(command: Command) -> None:
    result = command.run("shutdown", "--preserve", "-q", "-c", TEST)
    assert (result.stdout, result.stderr) == ("", "")


def test_plain_lines_for_a_pipe(command: Command) -> None:
    out = command.run("shutdown", "--preserve", "-c", TEST).stdout.splitlines()
    assert out[0] == "preserve of 1 guest (command)"
    assert out[1] == "test: save begins, at most 10min"
    assert out[2].startswith("test: saved after ")
    assert out[3:] == ["1 guest: 1 saved"]
