"""The command line and what it is pointed at: a configuration, connections, other hosts."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.ledger.file import connect, transaction
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestFacts, GuestId, State
from tests.ledgers import clock
from tests.unit.command import LIMIT, TEST, TEST_UUID, Command
from tests.unit.prepared import give

# Configuration


MISTAKES = """[shutdown]
svae = 1
parallel = 99
poweroff = "none"
[[guest]]
"""


def mistakes(file: Path) -> list[str]:
    return [
        f'guestctl: {file}:2: shutdown.svae: unknown key; did you mean "save"?',
        f"guestctl: {file}:3: shutdown.parallel: expected a whole number from 1 to 16, not 99",
        f'guestctl: {file}:5: guest[1].match: expected a name, a pattern such as "db-*", or a UUID',
    ]


STRICT = [
    ["plan", "--strict"],
    ["list", "--strict"],
    ["--strict", "shutdown", "--preserve"],
    ["shutdown", "--all"],
    ["shutdown", "test"],
    ["start"],
]


@pytest.mark.parametrize("verb", STRICT, ids=" ".join)
def test_every_problem_of_the_configuration_is_told_and_nothing_is_done(
    command: Command, verb: list[str]
) -> None:
    file = command.home / "wrong.toml"
    file.write_text(MISTAKES)
    result = command.run(*verb, "-c", TEST, "--config", file, status=2)
    assert result.stdout == ""
    said = ["guestctl: cannot use the configuration:", *mistakes(file)]
    assert result.stderr.splitlines() == said
    assert not command.state.exists()


def test_a_mistake_does_not_stop_who_looks_nor_the_emergency_command(command: Command) -> None:
    """Nor does it count for what is right: poweroff = "none"."""
    file = command.home / "wrong.toml"
    file.write_text(MISTAKES)
    for verb in (["plan"], ["shutdown", "--preserve", "--within", "3min"]):
        result = command.run(*verb, "-c", TEST, "--config", file)
        assert "then poweroff" not in result.stdout
        assert result.stderr.splitlines()[:3] == mistakes(file)
        said = "guestctl: what is right in the configuration is used"
        assert result.stderr.splitlines()[3].startswith(said)


def test_the_last_good_one_is_used_where_there_is_one(command: Command) -> None:
    copies = command.state / "last-good"
    copies.mkdir(parents=True)
    (copies / "000-guestctl.toml").write_text('[shutdown]\nsave = "none"\n')
    give(command)
    file = command.home / "wrong.toml"
    file.write_text("[shutdown]\nsave = all\n")
    result = command.run("plan", "-c", TEST, "--config", file)
    assert "no save: policy" in result.stdout
    assert "stands in quotes" in result.stderr
    assert "the last good configuration is used" in result.stderr


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


def test_check_says_which_connection_is_the_default(command: Command) -> None:
    file = command.home / "some.toml"
    file.write_text('uris = ["default"]\n')
    assert "the default connection is " in command.run("check", file).stdout
    shown = command.run("check", "--show", file).stdout
    assert shown.startswith('uris = ["default"]')
    assert "\n# the default connection is " in shown


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
        "metadata": False,
    }
    assert {value["file"] for value in values} == {None, str(good)}
    again = json.loads(command.run("check", "--show", "--json", "again.toml").stdout)
    assert [v["value"] for v in again] == [v["value"] for v in values]
    bad.write_text("[boot]\nretries = -1\n")
    refused = command.run("check", "--show", bad, status=2)
    assert (refused.stdout, refused.stderr.count("bad.toml:2:")) == ("", 1)


PLAN_FIELDS = {
    "name",
    "uuid",
    "uri",
    "state",
    "steps",
    "left_out",
    "notes",
    "outcome",
    "reason",
} | {
    *("begins", "seconds", "basis", "ends", "left", "fits", "expected"),
    *("in_time", "order_given_up", "limit_given_up"),
}


def test_policy_comes_from_the_configuration(command: Command) -> None:
    file = command.home / "some.toml"
    file.write_text(f'[[guest]]\nmatch = "{TEST_UUID.upper()}"\nsave = "none"\n')
    (plan,) = command.json("plan", "--config", file)
    assert plan.keys() == PLAN_FIELDS
    assert [step["step"] for step in plan["steps"]] == ["shutdown", "poweroff"]
    assert plan["left_out"] == {"save": 'policy has save = "none"'}


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


@pytest.mark.parametrize("verb", [["list"], ["plan"], ["shutdown", "--preserve"]])
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
        Ledger(db, clock()).note_up(lost, "boot")
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


def test_another_spelling_of_a_connection_has_the_same_guests(command: Command) -> None:
    """And a name for it, from libvirt.conf."""
    folder = command.home / ".config" / "libvirt"
    folder.mkdir(parents=True)
    (folder / "libvirt.conf").write_text(f'uri_aliases = ["mine={TEST}"]\n')
    give(command)
    command.run("hold", "-c", f"{TEST}?x=1", "test")
    for spelling in (TEST, f"{TEST}?y", "mine"):
        (row,) = json.loads(command.run("list", "--json", "-c", spelling).stdout)
        assert (row["uri"], bool(row["held"])) == (TEST, True)
