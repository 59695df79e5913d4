"""`--profile` of `plan` and `shutdown`, and what `check` shows of profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.command import TEST, TEST_UUID, Command
from tests.unit.prepared import give

TEXT = """\
[shutdown]
save = "none"
[profile.ups]
deadline = "3min"
shutdown-timeout = "20s"
[[guest]]
match = "te*"
poweroff = "none"
[guest.profile.ups]
poweroff = "all"
"""


@pytest.fixture
def file(command: Command) -> Path:
    """A configuration with a profile."""
    file = command.home / "one.toml"
    file.write_text(TEXT)
    return file


def test_plan_shows_what_a_preserve_with_it_does(command: Command, file: Path) -> None:
    options = ("-c", TEST, "--config", file)
    usual = command.run("plan", *options).stdout
    assert "shutdown (at most 90s); no save" in usual
    on_battery = command.run("plan", "--profile", "ups", *options).stdout
    assert "shutdown (at most 20s), then poweroff (at most 1min); no save" in on_battery
    both = command.run("plan", "--profile", "ups", "--within", "40s", *options).stdout
    assert "shutdown (at most 20s), then poweroff (at most 20s)" in both
    assert command.run("plan", "--profile", "reboot", *options).stdout == usual


def test_plan_of_recorded_facts_as_well(command: Command, file: Path) -> None:
    recorded = command.home / "facts"
    recorded.write_text(command.run("facts", "-c", TEST, "--config", file).stdout)
    give(command)
    here = command.run("plan", "--profile", "ups", "-c", TEST, "--config", file)
    there = command.run("plan", "--profile", "ups", "--facts", recorded)
    assert there.stdout == here.stdout


@pytest.mark.parametrize("verb", [["plan"], ["shutdown", "--preserve"], ["shutdown", "--all"]])
def test_a_name_that_no_table_has(command: Command, file: Path, verb: list[str]) -> None:
    result = command.run(*verb, "--profile", "usp", "-c", TEST, "--config", file, status=2)
    assert 'no profile "usp" in the configuration, which has: ups; did' in result.stderr
    assert not command.ledger.exists()


def test_shutdown_goes_by_it(command: Command, file: Path) -> None:
    command.run("shutdown", "--preserve", "--profile", "ups", "-c", TEST, "--config", file)
    stop_by = command.run_folder / "stop-by.json"
    assert stop_by.exists(), "its deadline binds the host's stop that follows"
    command.run("shutdown", "--all", "--profile", "ups", "-c", TEST, "--config", file)
    (last, *_) = command.json("history", "--json")
    assert last["command"] == f"guestctl shutdown --all --profile ups -c {TEST} --config {file}"


def test_an_emergency_does_not_fail_for_mistakes_in_the_files(command: Command, file: Path) -> None:
    file.write_text("[profile.ups\n")
    options = ("--profile", "ups", "-c", TEST, "--config", file)
    result = command.run("shutdown", "--preserve", *options)
    assert "the usual settings are used" in result.stderr
    command.run("shutdown", "--all", *options, status=2)


def test_the_settings_of_a_guest(command: Command, file: Path) -> None:
    lines = command.run("check", "--guest", "test", file, "-c", TEST).stdout.splitlines()
    assert lines[-4:] == [
        "",
        "[guest.profile.ups]",
        f'poweroff = "all"  # {file}:10',
        f'shutdown-timeout = "20s"  # {file}:5',
    ]
    values = command.json("check", "--json", "--guest", TEST_UUID, file, "-c", TEST)
    value, _ = (value for value in values if value["section"] == "guest.profile.ups")
    assert (value["value"], value["line"], value["match"]) == ("all", 10, "test")
