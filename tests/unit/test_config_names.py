"""Keys that were renamed: made-up rows, since the table may have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config import files
from guestctl.config.config import Config
from guestctl.config.problems import Place
from guestctl.config.reading import Reading, read
from guestctl.config.settings import SECTIONS, SETTINGS, Boot, Setting, Shutdown, UserShutdown
from guestctl.model.options import UserAction
from tests.unit.toml_values import toml_values

_RENAMED: dict[str, dict[str, Any]] = {
    "uris": {"old_names": ("connections",)},
    "save_timeout": {"old_names": ("save-limit", "save-within")},
    "settle": {"old_names": ("grace",)},
    "retries": {"old_names": ("attempts",)},
    "action": {"old_names": ("doing",), "old_guest_keys": ("when-user-stops",)},
}
#: The table of a later version.
ROWS = [replace(row, **_RENAMED.get(row.name, {})) for row in SETTINGS]


def reading(folder: Path, text: str, rows: Sequence[Setting] = ROWS) -> Reading:
    """What is read of one file with this text."""
    (folder / "one.toml").write_text(text)
    return read(folder / "one.toml", rows)


def notices(found: Reading) -> list[tuple[int | None, str, str]]:
    """The notices, without the file."""
    return [(n.place.line, n.key, n.message) for n in found.notices]


def problems(found: Reading) -> list[tuple[int | None, str, str]]:
    """The problems, without the file."""
    return [(p.place.line, p.key, p.message) for p in found.problems]


def test_an_old_name_is_read_as_the_new_one_and_said(tmp_path: Path) -> None:
    text = """connections = ["test:///default"]
[shutdown]
save-limit = "1min"
[boot]
attempts = 7
"""
    found = reading(tmp_path, text)
    assert found.sound().general.uris == ("test:///default",)
    assert found.config.shutdown == Shutdown(save_timeout=60.0)
    assert found.config.boot == Boot(retries=7)
    assert notices(found) == [
        (1, "connections", 'is now called "uris"'),
        (3, "shutdown.save-limit", 'is now called "save-timeout"'),
        (5, "boot.attempts", 'is now called "retries"'),
    ]
    where = tmp_path / "one.toml"
    assert str(found.notices[2]) == f'{where}:5: boot.attempts: is now called "retries"'
    assert found.origins["boot", "retries"] == Place(where, 5)


def test_old_names_in_guest_tables(tmp_path: Path) -> None:
    text = '[[guest]]\nmatch = "a"\nattempts = 7\nwhen-user-stops = "ignore"\n'
    found = reading(tmp_path, text)
    assert found.sound().guests[0].values == {"retries": 7, "action": UserAction.IGNORE}
    assert notices(found) == [
        (3, "guest[1].attempts", 'is now called "retries"'),
        (4, "guest[1].when-user-stops", 'is now called "user-shutdown"'),
    ]


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        (
            '[shutdown]\nsave-limit = "1min"\n\nsave-timeout = "2min"\n',
            2,
            "shutdown.save-limit",
            'is now called "save-timeout", but "save-timeout" is set too: {}:4',
        ),
        (
            '[shutdown]\nsave-timeout = "2min"\nsave-limit = "1min"\n',
            3,
            "shutdown.save-limit",
            'is now called "save-timeout", but "save-timeout" is set too: {}:2',
        ),
        (
            '[shutdown]\nsave-limit = "2min"\nsave-within = "1min"\n',
            3,
            "shutdown.save-within",
            'is now called "save-timeout", but "save-limit" is set too: {}:2',
        ),
        (
            'uris = ["test:///default"]\nconnections = []\n',
            2,
            "connections",
            'is now called "uris", but "uris" is set too: {}:1',
        ),
        (
            '[[guest]]\nmatch = "a"\nattempts = 1\nretries = 2\n',
            3,
            "guest[1].attempts",
            'is now called "retries", but "retries" is set too: {}:4',
        ),
    ],
)
def test_both_names_in_one_table_are_a_problem(
    tmp_path: Path, text: str, line: int, key: str, message: str
) -> None:
    found = reading(tmp_path, text)
    assert problems(found) == [(line, key, message.format(tmp_path / "one.toml"))]


def test_of_both_names_the_new_one_is_used_where_something_must_be(tmp_path: Path) -> None:
    text = '[shutdown]\nsave-limit = "1min"\nsave-timeout = "2min"\n'
    assert reading(tmp_path, text).config.shutdown.save_timeout == 120.0


def test_a_wrong_value_under_an_old_name_is_told_with_the_name_that_was_written(
    tmp_path: Path,
) -> None:
    ((line, key, message),) = problems(reading(tmp_path, "[boot]\nattempts = true\n"))
    assert (line, key) == (2, "boot.attempts")
    assert "expected a whole number" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[boot]\natempts = 1", 'unknown key; did you mean "retries", once called "attempts"?'),
        ("conections = []", 'unknown key; did you mean "uris", once called "connections"?'),
        ("[boot]\nretires = 1", 'unknown key; did you mean "retries"?'),
        (
            "[shutdown]\nattempts = 1",
            'unknown here; it belongs in [boot], and is now called "retries"',
        ),
        ("attempts = 1", 'unknown here; it belongs in [boot], and is now called "retries"'),
        (
            '[[guest]]\nmatch = "a"\natempts = 1',
            'unknown key; did you mean "retries", once called "attempts"?',
        ),
        ('[[guest]]\nmatch = "a"\ngrace = "1s"', "is for the whole run"),
        ('[[guest]]\nmatch = "a"\ndoing = "ignore"', 'in a [[guest]] it is called "user-shutdown"'),
    ],
)
def test_what_is_said_of_unknown_keys_knows_old_names(
    tmp_path: Path, text: str, message: str
) -> None:
    ((_, _, said),) = problems(reading(tmp_path, text))
    assert message in said


def test_a_later_file_wins_whatever_it_calls_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drop-ins are written at different times."""
    monkeypatch.setattr(files, "MAIN_FILE", tmp_path / "guestctl.toml")
    monkeypatch.setattr(files, "DROP_INS", tmp_path)
    (tmp_path / "10.toml").write_text("boot.retries = 1\nuser-shutdown.action = 'restart'")
    (tmp_path / "20.toml").write_text("boot.attempts = 2")
    (tmp_path / "30.toml").write_text("user-shutdown.doing = 'ignore'")
    (tmp_path / "40.toml").write_text("user-shutdown.action = 'keep-down'")
    found = read(rows=ROWS)
    kept = UserShutdown(UserAction.KEEP_DOWN)
    assert found.sound() == Config(boot=Boot(retries=2), user_shutdown=kept)
    assert [notice.place.file.name for notice in found.notices] == ["20.toml", "30.toml"]


@given(st.sampled_from(SETTINGS).flatmap(lambda row: st.tuples(st.just(row), toml_values(row))))
def test_a_setting_under_its_old_name_reads_as_under_its_new_one(
    scratch: Path, setting: tuple[Setting, str]
) -> None:
    row, value = setting
    renamed = replace(row, old_names=("once",), old_guest_keys=("once-here",))
    rows = [renamed if other is row else other for other in SETTINGS]
    header = f"[{row.section}]\n" if row.section else ""
    guest = '[[guest]]\nmatch = "a"\n'
    texts = [(header, row.key, "once")]
    if row.per_guest:
        texts.append((guest, row.guest_key, "once-here"))
    for head, new, old in texts:
        by_new = reading(scratch, f"{head}{new} = {value}\n", rows)
        by_old = reading(scratch, f"{head}{old} = {value}\n", rows)
        assert by_old.sound() == by_new.sound()
        assert by_old.origins == by_new.origins
        assert by_old.guest_origins == by_new.guest_origins
        of_value = [notice.message for notice in by_new.notices]
        said = [notice.message for notice in by_old.notices]
        assert said == [f'is now called "{new}"', *of_value]


def collisions(rows: Sequence[Setting]) -> list[str]:
    """Names that could mean two settings in one place."""
    places: dict[str, list[str]] = {section: [] for section in SECTIONS}
    places[""] += [*filter(None, SECTIONS), "guest"]
    guest = ["match"]
    for row in rows:
        places[row.section] += row.names
        guest += (row.guest_key, *row.guest_old_names) if row.per_guest else ()
    return [name for names in (*places.values(), guest) for name in names if names.count(name) > 1]


def test_no_name_means_two_settings_in_one_place() -> None:
    assert collisions(SETTINGS) == collisions(ROWS) == []


@pytest.mark.parametrize(
    "columns",
    [{"old_names": ("parallel",)}, {"old_guest_keys": ("save",)}, {"old_guest_keys": ("match",)}],
)
def test_a_name_that_means_two_settings_is_found(columns: dict[str, Any]) -> None:
    rows = [replace(row, **columns) if row.name == "retries" else row for row in SETTINGS]
    assert collisions(rows)
