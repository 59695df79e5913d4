"""The whole configuration in effect: it says what set each value, and reads back the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.config import Config
from guestctl.config.effective import as_json, as_toml
from guestctl.config.reading import Reading, read, read_files
from guestctl.config.settings import (
    GUEST_PROFILE_SETTINGS,
    GUEST_SETTINGS,
    PROFILE_SETTINGS,
    SECTIONS,
    SETTINGS,
    Setting,
)
from guestctl.config.toml import quoted
from tests.unit.toml_values import toml_values

MAIN = """uris = ["test:///default"]
[shutdown]
save = "none"
methods = [
    "acpi",
]
[[guest]]
match = "db-*"
save-timeout = "90s"
"""
DROP_IN = """shutdown.save = "all"
guest = [{ match = "gäst \\n# x", user-shutdown = "restart" }]
"""


def read_two(folder: Path) -> Reading:
    """A main file and a drop-in."""
    (folder / "main.toml").write_text(MAIN)
    (folder / "drop-in.toml").write_text(DROP_IN)
    return read_files([folder / "main.toml", folder / "drop-in.toml"])


def test_each_value_says_which_line_of_which_file_set_it(tmp_path: Path) -> None:
    lines = as_toml(read_two(tmp_path)).replace(f"{tmp_path}/", "").splitlines()
    assert [line for line in lines if line and not line.endswith("# default")] == [
        'uris = ["test:///default"]  # main.toml:1',
        "[shutdown]",
        'save = "all"  # drop-in.toml:1',
        'methods = ["acpi"]  # main.toml:4',
        "[boot]",
        "[user-shutdown]",
        "[order]",
        "[[guest]]  # main.toml:7",
        'match = "db-*"  # main.toml:8',
        'save-timeout = "90s"  # main.toml:9',
        "[[guest]]  # drop-in.toml:2",
        'match = "gäst \\U0000000a# x"  # drop-in.toml:2',
        'user-shutdown = "restart"  # drop-in.toml:2',
    ]


def test_every_setting_is_shown_also_where_nothing_is_set(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("")
    text = as_toml(read(tmp_path / "one.toml"))
    assert re.findall(r"^([a-z-]+) = .*  # default$", text, re.M) == [row.key for row in SETTINGS]


def test_programs_get_a_list_of_values(tmp_path: Path) -> None:
    found = as_json(read_two(tmp_path))
    assert {tuple(value) for value in found} == {
        ("section", "key", "value", "file", "line", "match", "metadata")
    }
    rows = {(v["section"], v["key"], v["match"]): v for v in found}
    assert len(rows) == len(found) == len(SETTINGS) + 4
    main, drop_in = (str(tmp_path / name) for name in ("main.toml", "drop-in.toml"))
    for key, value, file, line in [
        (("", "uris", None), ["test:///default"], main, 1),
        (("shutdown", "save", None), "all", drop_in, 1),
        (("boot", "retries", None), 3, None, None),
        (("boot", "restore", None), True, None, None),
        (("guest", "match", "db-*"), "db-*", main, 8),
        (("guest", "save-timeout", "db-*"), "90s", main, 9),
        (("guest", "user-shutdown", "gäst \n# x"), "restart", drop_in, 2),
    ]:
        assert (rows[key]["value"], rows[key]["file"], rows[key]["line"]) == (value, file, line)


def test_the_name_of_a_file_cannot_end_its_comment(tmp_path: Path) -> None:
    file = tmp_path / "a\nuris = []\x1b[2J.toml"
    file.write_text("boot.retries = 5")
    text = as_toml(read(file))
    assert "\x1b" not in text
    (tmp_path / "back.toml").write_text(text)
    assert read(tmp_path / "back.toml").sound().boot.retries == 5


Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def configurations(draw: Draw) -> str:
    """A configuration without problems."""
    text = ""
    for section in SECTIONS:
        rows = [row for row in SETTINGS if row.section == section and draw(st.booleans())]
        text += f"[{section}]\n" if section else ""
        text += "".join(f"{row.key} = {draw(toml_values(row))}\n" for row in rows)
    for match in draw(st.lists(st.text(min_size=1), max_size=3)):
        rows = draw(st.lists(st.sampled_from(GUEST_SETTINGS), unique=True, max_size=5))
        text += f"[[guest]]\nmatch = {quoted(match)}\n"
        text += "".join(f"{row.guest_key} = {draw(toml_values(row))}\n" for row in rows)
        text += str(draw(profiles("guest.profile", GUEST_PROFILE_SETTINGS)))
    return text + str(draw(profiles("profile", PROFILE_SETTINGS)))


@st.composite
def profiles(draw: Draw, table: str, settings: Sequence[Setting]) -> str:
    text = ""
    for name in draw(st.lists(st.sampled_from(["reboot", "poweroff", "Ups-1"]), unique=True)):
        text += f"[{table}.{name}]\n"
        for row in draw(st.lists(st.sampled_from(settings), unique=True, max_size=3)):
            text += f"{row.key} = {draw(toml_values(row))}\n"
    return text


@given(configurations())
def test_what_is_shown_reads_back_as_the_same_configuration(scratch: Path, text: str) -> None:
    file, back = scratch / "one.toml", scratch / "back.toml"
    file.write_bytes(text.encode())
    found = read(file)
    back.write_bytes(as_toml(found).encode())
    again = read(back)
    assert isinstance(found.sound(), Config)
    assert again.sound() == found.config
    # Each value was where its comment says.
    lines = text.split("\n")
    for value in as_json(found):
        if value["line"]:
            assert lines[value["line"] - 1].startswith(f"{value['key']} = ")
