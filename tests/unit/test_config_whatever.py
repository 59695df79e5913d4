"""Whatever is in a file is a configuration, or problems that can be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from guestctl.config.config import Config
from guestctl.config.problems import Problem
from guestctl.config.reading import read
from guestctl.config.settings import (
    SECTIONS,
    SETTINGS,
)
from tests.unit.configuring import problems

# Whatever comes

toml_values: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(
        ["1", "-1", "1.5", "nan", "true", '"90s"', '"all"', '"acpi"', '""', "1979-05-27", "'x'"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | inner.map(lambda item: f"{{ a = {item} }}")
    ),
    max_leaves=5,
)
toml_keys = st.sampled_from([*(row.key for row in SETTINGS), "match", "x", '"q k"', "a.b", "boot"])
toml_headers = st.sampled_from(
    ["[shutdown]", "[boot]", "[[guest]]", "[guest]", "[[boot]]", "[a.b]", "# \u2028", ""]
)
toml_lines = toml_headers | st.builds("{} = {}".format, toml_keys, toml_values)
toml_texts = st.lists(toml_lines, max_size=12).map("\n".join)


def _problems_of(file: Path) -> tuple[Problem, ...]:
    found = read(file)
    assert isinstance(found.config, Config)
    return found.problems


def _is_sound(folder: Path, content: bytes) -> None:
    file = folder / "one.toml"
    file.write_bytes(content)
    last = content.count(b"\n") + 1
    for problem in _problems_of(file):
        assert problem.place.file == file
        assert problem.message
        assert problem.place.line is None or 1 <= problem.place.line <= last


@given(st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
@example(b"\x00")
@example(b"\xef\xbb\xbf")
@example(b"\r")
def test_arbitrary_bytes_are_a_configuration_or_a_problem(scratch: Path, content: bytes) -> None:
    _is_sound(scratch, content)


@given(toml_texts)
def test_arbitrary_tables_are_a_configuration_or_a_problem(scratch: Path, text: str) -> None:
    _is_sound(scratch, text.encode())


@given(st.lists(st.sampled_from(SETTINGS), unique=True))
def test_each_wrong_setting_is_told_once(scratch: Path, rows: list[Any]) -> None:
    """No problem hides another, wherever it stands."""
    by_section = {s: [r for r in rows if r.section == s] for s in SECTIONS}
    text = ""
    for section, wrong in by_section.items():
        header = f"[{section}]\n" if section else ""
        text += header + "".join(f"{row.key} = {{}}\n" for row in wrong)
    found = problems(scratch, text) if rows else ()
    expected = [f"{row.section}.{row.key}".lstrip(".") for row in SETTINGS if row in rows]
    assert sorted(problem.key for problem in found) == sorted(expected)
