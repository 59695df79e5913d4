"""A guest's settings with their places, and [[guest]] tables for nobody."""

from __future__ import annotations

from pathlib import Path

from guestctl.config import effective, reading
from guestctl.config.settings import GUEST_SETTINGS
from guestctl.decisions.policy import unmatched
from tests.unit.command import TEST, TEST_UUID, Command
from tests.unit.makers import guest

TEXT = f"""\
[shutdown]
save-timeout = "5min"
[[guest]]
match = "te*"
save = "none"
user-shutdown = "restart"
[[guest]]
match = "{TEST_UUID}"
save = "all"
[[guest]]
match = "other"
save = "persistent"
"""


def write(command: Command) -> Path:
    file = command.home / "one.toml"
    file.write_text(TEXT)
    return file


def test_the_settings_of_a_guest_and_what_set_them(command: Command) -> None:
    file = write(command)
    result = command.run("check", "--guest", "test", file, "-c", TEST)
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"[[guest]]  # {TEST_UUID} on {TEST}", 'match = "test"  # as asked for']
    assert f'save = "all"  # {file}:9' in lines
    assert f'save-timeout = "5min"  # {file}:2' in lines
    assert f'user-shutdown = "restart"  # {file}:6' in lines
    assert "retries = 3  # default" in lines
    assert len(lines) == 2 + len(GUEST_SETTINGS)
    assert result.stderr == ""


def test_in_json_as_well(command: Command) -> None:
    file = write(command)
    values = command.json("check", "--json", "--guest", TEST_UUID, file, "-c", TEST)
    (save,) = [value for value in values if value["key"] == "save"]
    assert save == {
        "section": "guest",
        "key": "save",
        "value": "all",
        "file": str(file),
        "line": 9,
        "match": "test",
        "metadata": False,
    }


def test_a_guest_that_is_to_come(command: Command) -> None:
    file = write(command)
    result = command.run("check", "--guest", "tex", file, "-c", TEST)
    assert 'no guest "tex" is to be seen' in result.stderr
    assert f'save = "none"  # {file}:5' in result.stdout


def test_what_is_shown_of_a_guest_reads_back(command: Command, tmp_path: Path) -> None:
    file = write(command)
    shown = command.run("check", "--guest", "test", file, "-c", TEST).stdout
    (tmp_path / "shown.toml").write_text(shown)
    (override,) = reading.read(tmp_path / "shown.toml").sound().guests
    assert len(override.values) == len(GUEST_SETTINGS)


def test_tables_for_nobody_are_said(command: Command, tmp_path: Path) -> None:
    file = write(command)
    result = command.run("plan", "--config", file, "-c", TEST)
    assert result.stderr == 'guestctl: no guest is matched by [[guest]] match = "other"\n'
    config = reading.read(file).sound()
    assert unmatched(config, [guest("test")]) == [1, 2]
    assert unmatched(config, [guest("other"), guest("te")]) == [1]
    assert effective.values(config)["guest[3].match"] == '"other"'
    assert command.json("status", "--config", file, status=1)["unmatched"] == ["other"]
