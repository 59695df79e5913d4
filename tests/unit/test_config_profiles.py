"""Profiles in configuration files: what is read of them, what is said, what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guestctl.config import effective
from guestctl.config.config import Config
from guestctl.config.problems import Place
from guestctl.config.reading import read, read_files
from guestctl.config.settings import GUEST_PROFILE_SETTINGS, PROFILE_SETTINGS, SETTINGS
from guestctl.model.options import Scope
from tests.unit.configuring import load, problems

TEXT = """\
[profile.reboot]
save = "none"
parallel = 3
[[guest]]
match = "db"
[guest.profile.reboot]
save = "all"
[guest.profile.ups]
shutdown-timeout = "20s"
"""


def test_what_profiles_set(tmp_path: Path) -> None:
    config = load(tmp_path, TEXT)
    assert config.profiles == {"reboot": {"save": Scope.NONE, "parallel": 3}}
    assert config.guests[0].profiles == {
        "reboot": {"save": Scope.ALL},
        "ups": {"shutdown_timeout": 20.0},
    }


def test_a_profile_without_settings_is_one(tmp_path: Path) -> None:
    assert load(tmp_path, "[profile.ups]").profiles == {"ups": {}}


def test_of_two_files_the_later_one_wins_setting_by_setting(tmp_path: Path) -> None:
    one, two = tmp_path / "1.toml", tmp_path / "2.toml"
    one.write_text('[profile.ups]\nsave = "none"\ndeadline = "3min"\n')
    two.write_text('[profile.ups]\ndeadline = "2min"\n[profile.reboot]\n')
    found = read_files([one, two])
    assert found.config.profiles == {"ups": {"save": Scope.NONE, "deadline": 120.0}, "reboot": {}}
    assert found.profile_origins["ups"] == {"save": Place(one, 2), "deadline": Place(two, 2)}


@pytest.mark.parametrize("row", PROFILE_SETTINGS, ids=lambda row: row.key)
def test_whatever_a_run_goes_by_may_stand_in_a_profile(tmp_path: Path, row: Any) -> None:
    config = load(tmp_path, f"[profile.x]\n{row.key} = {row.kind.show(row.default)}\n")
    assert config.profiles == {"x": {row.name: row.default}}


@pytest.mark.parametrize("row", GUEST_PROFILE_SETTINGS, ids=lambda row: row.key)
def test_what_is_for_one_guest_may_stand_in_its_profile(tmp_path: Path, row: Any) -> None:
    text = f'[[guest]]\nmatch = "x"\n[guest.profile.y]\n{row.guest_key} = '
    config = load(tmp_path, text + row.kind.show(row.default))
    assert config.guests[0].profiles == {"y": {row.name: row.default}}


def test_every_setting_of_shutdown_but_one_may() -> None:
    others = [row for row in SETTINGS if row.section == "shutdown" and row not in PROFILE_SETTINGS]
    assert [row.key for row in others] == ["settle"]


OF_GUEST = '[[guest]]\nmatch = "x"\n'
ONE_PROBLEM = [
    ("profile = 1", 1, "profile", "expected tables with names: [profile.reboot], for one"),
    ("[[profile]]", 1, "profile", "expected tables with names"),
    ('[profile]\nsave = "none"', 2, "profile.save", "stand in a profile with a name"),
    ("[profile]\nups = 1", 2, "profile.ups", "expected a table: [profile.ups]"),
    ("[[profile.ups]]", 1, "profile.ups", "expected a table: [profile.ups]"),
    ('[profile."a b"]', 1, 'profile."a b"', "made of letters, digits"),
    ('[profile.""]', 1, 'profile.""', "made of letters, digits"),
    ("[profile.x]\nsvae = 1", 2, "profile.x.svae", 'did you mean "save"?'),
    ("[profile.x]\nzzzz = 1", 2, "profile.x.zzzz", "[profile.NAME] has save, shutdown"),
    ("[profile.x]\nsave = 1", 2, "profile.x.save", "expected one of"),
    ("[profile.x]\nretries = 1", 2, "profile.x.retries", "this one belongs in [boot]"),
    ("[profile.x]\nuris = []", 2, "profile.x.uris", "belongs above all [sections]"),
    ('[profile.x]\nsettle = "1s"', 2, "profile.x.settle", "it belongs in [shutdown]"),
    ("[profile.x.y]", 1, "profile.x.y", "there is none inside [profile.NAME]"),
    ("[profiles.x]", 1, "profiles", "did you mean [profile.NAME]?"),
    (f"{OF_GUEST}profile = 'x'", 3, "guest[1].profile", "[guest.profile.reboot], for one"),
    (f"{OF_GUEST}profile.save = 1", 3, "guest[1].profile.save", "a profile with a name"),
    (
        f"{OF_GUEST}[guest.profile.x]\nsvae = 1",
        4,
        "guest[1].profile.x.svae",
        'did you mean "save"?',
    ),
    (
        f"{OF_GUEST}[guest.profile.x]\ndeadline = '1min'",
        4,
        "guest[1].profile.x.deadline",
        "for the whole run, and belongs in [profile.NAME]",
    ),
    (
        f"{OF_GUEST}[guest.profile.x]\nuser-shutdown = 'restart'",
        4,
        "guest[1].profile.x.user-shutdown",
        "settings of [shutdown] only",
    ),
    (
        f"{OF_GUEST}[guest.profile.x]\nsettle = '1s'",
        4,
        "guest[1].profile.x.settle",
        "it belongs in [shutdown]",
    ),
]


@pytest.mark.parametrize(("text", "line", "key", "message"), ONE_PROBLEM)
def test_one_problem(tmp_path: Path, text: str, line: int, key: str, message: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert (problem.place, problem.key) == (Place(tmp_path / "one.toml", line), key)
    assert message in problem.message


def test_what_is_right_is_used_beside_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text(f"{TEXT}save-timeout = 'x'\n[profile.ups]\ndeadline = '1min'\n")
    found = read(file)
    assert [problem.key for problem in found.problems] == ["guest[1].profile.ups.save-timeout"]
    assert found.config.profiles["ups"] == {"deadline": 60.0}
    assert found.config.guests[0].profiles["ups"] == {"shutdown_timeout": 20.0}


@pytest.mark.parametrize("name", ["kexec", "soft-reboot", "halt"])
def test_a_way_down_that_counts_as_another_is_said(tmp_path: Path, name: str) -> None:
    file = tmp_path / "one.toml"
    file.write_text(f"[profile.{name}]\n")
    (notice,) = read(file).notices
    assert (notice.place.line, notice.key) == (1, f"profile.{name}")
    assert f"{name} counts as " in notice.message


def test_a_deadline_that_a_stop_of_the_host_has_not_is_said(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    deadline = 'deadline = "1h"\n'
    file.write_text(f"[profile.reboot]\n{deadline}[profile.ups]\n{deadline}")
    (notice,) = read(file).notices
    assert notice.key == "profile.reboot.deadline"


def test_each_value_says_which_line_set_it(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text(TEXT)
    lines = effective.as_toml(read(file)).replace(f"{tmp_path}/", "").splitlines()
    shown = [line for line in lines if line and not line.endswith("# default")]
    assert shown[-9:] == [
        "[profile.reboot]",
        'save = "none"  # one.toml:2',
        "parallel = 3  # one.toml:3",
        "[[guest]]  # one.toml:4",
        'match = "db"  # one.toml:5',
        "[guest.profile.reboot]",
        'save = "all"  # one.toml:7',
        "[guest.profile.ups]",
        'shutdown-timeout = "20s"  # one.toml:9',
    ]
    values = {(v["section"], v["key"], v["match"]): v for v in effective.as_json(read(file))}
    value = values["guest.profile.ups", "shutdown-timeout", "db"]
    assert (value["value"], value["line"]) == ("20s", 9)
    assert values["profile.reboot", "parallel", None]["value"] == 3


def test_what_was_written_since_is_named(tmp_path: Path) -> None:
    before, after = effective.values(Config()), effective.values(load(tmp_path, TEXT))
    changes = effective.changes(before, after)
    assert 'profile.reboot.save is "none", was not set' in changes
    assert 'guest[1].profile.ups.shutdown-timeout is "20s", was not set' in changes
