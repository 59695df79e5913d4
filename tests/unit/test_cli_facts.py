"""`facts`, and `plan --facts`: the same plans as on the host that the facts are of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.quick import one_in
from tests.unit.command import TEST, TEST_UUID, Command
from tests.unit.prepared import ODD_NAME, give, prepare


def record(command: Command, *options: str | Path, status: int = 0) -> Path:
    """A file of what `facts` prints."""
    file = command.home / "facts"
    file.write_text(command.run("facts", *options, status=status).stdout)
    give(command)
    return file


@pytest.mark.parametrize("boot", one_in(2, [["--boot"], []]))
@pytest.mark.parametrize("shown", one_in(2, [["--json"], []]))
def test_the_plan_is_that_of_the_host(
    command: Command, node: str, boot: list[str], shown: list[str]
) -> None:
    config = command.home / "one.toml"
    config.write_text('[[guest]]\nmatch = "-d*"\nsave = "none"\n')
    options = ["-c", node, "--config", str(config)]
    here = command.run("plan", *boot, *shown, *options)
    file = record(command, *options)
    config.write_text("")
    there = command.run("plan", *boot, *shown, "--facts", file)
    assert (there.stdout, there.stderr) == (here.stdout, here.stderr)
    assert ODD_NAME in here.stdout or shown or not boot


def test_what_the_ledger_knows_is_in_it(command: Command) -> None:
    prepare(command)
    command.run("shutdown", "-c", TEST, "test")
    command.run("hold", "-c", TEST, "test", "--reason", "for its owner")
    here = command.run("plan", "--boot", "-c", TEST).stdout
    file = record(command, "-c", TEST)
    command.ledger.unlink()
    assert command.run("plan", "--boot", "--facts", file).stdout == here
    assert "for its owner" in file.read_text()


_ON_ITS_OWN = """
import builtins, os, sqlite3, sys, libvirt
from guestctl.cli.main import main
seen = []
libvirt.openAuth = libvirt.open = libvirt.openReadOnly = sqlite3.connect = seen.append
sys.addaudithook(lambda event, arguments: seen.append(arguments[0]) if event == "open" else None)
status = main(sys.argv[1:])
print(*(name for name in seen if not str(name).endswith((".py", ".pyc", ".so"))), sep="\\n")
sys.exit(status)
"""


@pytest.mark.parametrize("boot", [[], ["--boot"]])
def test_nothing_but_the_file_is_looked_at(command: Command, boot: list[str]) -> None:
    file = record(command, "-c", TEST)
    prepare(command)
    result = command.python("-c", _ON_ITS_OWN, "plan", "--json", "--facts", str(file), *boot)
    assert (result.returncode, result.stderr) == (0, "")
    document, opened = result.stdout.rsplit("]\n", 1)
    assert TEST_UUID in document
    assert opened.split() == [str(file)]


def test_masked_facts_name_nothing(command: Command, node: str) -> None:
    prepare(command)
    text = record(command, "--mask", "-c", node).read_text()
    for own in ("dash", "passing", "bold", TEST_UUID, "4000-8000-000000000009", str(command.home)):
        assert own not in text
    plans = command.run("plan", "--facts", command.home / "facts").stdout
    assert "guest-1" in plans
    assert len(plans.splitlines()) == len(command.run("plan", "-c", node).stdout.splitlines())


def test_what_cannot_be_read_is_recorded(command: Command) -> None:
    file = record(command, "-c", "test:///nowhere.xml", status=4)
    assert "[[unreadable]]" in file.read_text()
    for boot in ([], ["--boot"]):
        here = command.run("plan", *boot, "-c", "test:///nowhere.xml", status=4)
        there = command.run("plan", *boot, "--facts", file, status=4)
        # libxml2 says something of its own, too.
        said = [line for line in here.stderr.splitlines() if line.startswith("guestctl: ")]
        assert "nowhere.xml" in there.stderr
        assert (there.stdout, there.stderr.splitlines()) == (here.stdout, said)


def test_a_file_of_others_cannot_speak_to_the_terminal(command: Command) -> None:
    file = record(command, "-c", "test:///nowhere.xml", status=4)
    text = file.read_text().replace('reason = "', 'reason = "\\u001b]0;owned\\u0007')
    file.write_text(text + '\n["\\u001b[2J"]\n')
    assert "\x1b" not in command.run("plan", "--facts", file, status=2).stderr
    file.write_text(text)
    said = command.run("plan", "--boot", "--facts", file, status=4).stderr
    assert "]0;owned" in said
    assert said.replace("\n", "").isprintable()


def test_a_file_that_is_none_of_facts(command: Command) -> None:
    file = record(command, "-c", TEST)
    file.write_text(file.read_text().replace('state = "running"', 'state = "up"'))
    line = file.read_text().splitlines().index('state = "up"') + 1
    result = command.run("plan", "--facts", file, status=2)
    said = f"guestctl: cannot read facts: {file}:{line}: guest[1].state: expected one of "
    assert result.stderr.startswith(said)
    for missing in (command.home / "no-such-file", command.home):
        assert "cannot read facts" in command.run("plan", "--facts", missing, status=2).stderr


@pytest.mark.parametrize("option", [["-c", TEST], ["--config", "x"]])
def test_facts_have_a_configuration_of_their_own(command: Command, option: list[str]) -> None:
    assert "--facts goes with" in command.run("plan", "--facts", "x", *option, status=2).stderr
