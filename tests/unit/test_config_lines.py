"""Where a key stands: TOML in every style, by a writer that knows where it put each key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guestctl.config.lines import DEEPEST, KeyPath, lines_of_keys


def _nested(path: str, *lines: int) -> dict[KeyPath, int]:
    """Tables in tables, each by one letter."""
    return {tuple(path[: depth + 1]): line for depth, line in enumerate(lines)}


_GUESTS_PROFILE: dict[KeyPath, int] = {
    ("guest",): 1,
    ("guest", 0): 1,
    ("guest", 0, "profile"): 2,
    ("guest", 0, "profile", "reboot"): 2,
    ("guest", 0, "profile", "reboot", "save"): 3,
}

EXAMPLES: list[tuple[str, dict[KeyPath, int]]] = [
    ("", {}),
    ("# only = 1\n", {}),
    ("\n a = 1 # b = 2", {("a",): 2}),
    ("a = 1\r\nb = 2\r\n", {("a",): 1, ("b",): 2}),
    ('a = """\nb = 1\n[c]\n"""\nd = 1', {("a",): 1, ("d",): 5}),
    ('a = """\n\\"""b = 1\n"""""\nd = 1', {("a",): 1, ("d",): 4}),
    ("a = '''\n\\'''\nd = 1", {("a",): 1, ("d",): 3}),
    ("a = '\"'\nb = \"'\" # '\nc = 1", {("a",): 1, ("b",): 2, ("c",): 3}),
    ('"a\\u0062" = 1\n\'c"\' = 1', {("ab",): 1, ('c"',): 2}),
    ("[ a . 'x' ]\nb.c = 1", _nested("axbc", 1, 1, 2, 2)),
    ("a = [\n# ]\n1,\n2,\n]\nb = 1", {("a",): 1, ("a", 0): 3, ("a", 1): 4, ("b",): 6}),
    ("a = { b = [\n1 ], c = 2 }", {("a",): 1, ("a", "b"): 1, ("a", "b", 0): 2, ("a", "c"): 2}),
    (
        "[[guest]]\nx = 1\n[[guest]]\n\nx = 1\n[guest.y]\nz = 1",
        {
            ("guest",): 1,
            ("guest", 0): 1,
            ("guest", 0, "x"): 2,
            ("guest", 1): 3,
            ("guest", 1, "x"): 5,
            ("guest", 1, "y"): 6,
            ("guest", 1, "y", "z"): 7,
        },
    ),
    (
        'guest = [{ match = "a" },\n{ match = "b", x = 1 }]',
        {
            ("guest",): 1,
            ("guest", 0): 1,
            ("guest", 0, "match"): 1,
            ("guest", 1): 2,
            ("guest", 1, "match"): 2,
            ("guest", 1, "x"): 2,
        },
    ),
    ("a.b.c.d.e = { f = 1 }", _nested("abcde", 1, 1, 1, 1, 1)),
    ('[[guest]]\n[guest.profile.reboot]\nsave = "none"', _GUESTS_PROFILE),
]


@pytest.mark.parametrize(("text", "lines"), EXAMPLES)
def test_lines_of(text: str, lines: dict[KeyPath, int]) -> None:
    tomllib.loads(text)
    assert lines_of_keys(text) == lines


def test_inline_tables_of_toml_1_1() -> None:
    """tomllib of Python 3.11 to 3.14 accepts none that spans lines; a later one may."""
    assert lines_of_keys("a = {\nb = 1,\n\nc = 2,\n}\nd = 3") == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 4,
        ("d",): 6,
    }


@pytest.mark.parametrize("opening", ["[", "a.", "'''"])
def test_what_lies_very_deep_takes_no_long_time(opening: str) -> None:
    texts = {
        "[": "a = " + "[" * 300 + "]" * 300,
        "a.": "a." * 20_000 + "a = 1\n[" + "b." * 20_000 + "b]\nc = 1",
        "'''": "a = '''" + "'' \n" * 20_000 + "'''",
    }
    lines = lines_of_keys(texts[opening])
    assert set(lines.values()) <= {1, 2}
    assert lines["a",] == 1


# A writer that knows

_NAMES = ["a", "b-c", "1", "", "q k", "x.y", "[t]", "#", '"', "'", "é", "\n", "=", "\\", "guest"]
_SPACE = st.sampled_from(["", " ", "\t "])
_ENDS = st.sampled_from(["\n", " # x = 1\n", "\n\n", '#"""\n', "# it's\n", "\n# [a]\n", "\n  \t\n"])
_SCALARS = st.sampled_from(
    [
        "1",
        "-0.5e+3",
        "inf",
        "true",
        "1979-05-27 07:32:00.5",
        '""',
        "''",
        '"# [x] = \\" {"',
        "'[[\"\\'",
        '"""\nx = 1\n[b]\n\\""" """',
        '""" ""\\\\"""""',
        "'''\n[[a]]\n\\'''''",
        "''''a\n'b'''",
    ]
)


class _Writer:
    """TOML text, and the line of each key in it."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.text = ""
        self.lines: dict[KeyPath, int] = {}
        self._draw = draw

    def file(self) -> None:
        names = self._names()
        self._pairs((), names[:2])
        for name in names[2:]:
            for index in range(self._draw(st.integers(1, 3))):
                path = self._header(name, index if self._is_array(name) else None)
                self._pairs(path, self._names())
                if not self._is_array(name):
                    break
                self._sub_table(path)

    def _is_array(self, name: str) -> bool:
        return len(name) % 2 == 1

    def _names(self) -> list[str]:
        names: list[str] = self._draw(st.lists(st.sampled_from(_NAMES), unique=True, max_size=4))
        return names

    def _header(self, name: str, index: int | None) -> KeyPath:
        brackets = ("[", "]") if index is None else ("[[", "]]")
        path: KeyPath = (name,) if index is None else (name, index)
        self._note(path)
        self.text += brackets[0] + self._key([name]) + brackets[1] + self._draw(_ENDS)
        return path

    def _sub_table(self, above: KeyPath) -> None:
        """A table inside the last one of an array of tables."""
        path = (*above, "sub")
        self._note(path)
        self.text += "[" + self._key([str(above[0]), "sub"]) + "]" + self._draw(_ENDS)

    def _pairs(self, table: KeyPath, names: list[str]) -> None:
        for name in names:
            self.text += self._draw(_SPACE)
            self._pair(table, name)
            self.text += self._draw(_ENDS)

    def _pair(self, table: KeyPath, name: str, depth: int = 0) -> None:
        parts = [name, *self._names()[:2]] if self._draw(st.booleans()) else [name]
        self._note((*table, *parts))
        self.text += self._key(parts) + "=" + self._draw(_SPACE)
        self._value((*table, *parts), depth)

    def _value(self, path: KeyPath, depth: int) -> None:
        kinds = [self._scalar, self._array, self._inline_table]
        write = self._draw(st.sampled_from(kinds)) if depth < 3 else self._scalar
        write(path, depth + 1)

    def _scalar(self, path: KeyPath, depth: int) -> None:
        self.text += self._draw(_SCALARS)

    def _array(self, path: KeyPath, depth: int) -> None:
        self.text += "["
        for index in range(self._draw(st.integers(0, 3))):
            self.text += ("," if index else "") + self._draw(_SPACE | _ENDS)
            self._note((*path, index))
            self._value((*path, index), depth)
        self.text += self._draw(_SPACE | _ENDS) + "]"

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self.text += "{"
        for number, name in enumerate(self._names()):
            self.text += ("," if number else "") + self._draw(_SPACE)
            self._pair(path, name, depth)
        self.text += self._draw(_SPACE) + "}"

    def _note(self, path: KeyPath) -> None:
        for length in range(1, min(len(path), DEEPEST) + 1):
            self.lines.setdefault(path[:length], self.text.count("\n") + 1)

    def _key(self, parts: list[str]) -> str:
        spelled = [self._draw(st.sampled_from(list(_spellings(part)))) for part in parts]
        space: str = self._draw(_SPACE)
        return f"{space}.{space}".join(spelled) + space


def _spellings(name: str) -> Iterator[str]:
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        yield name
    if "'" not in name and "\n" not in name:
        yield f"'{name}'"
    yield '"' + "".join(f"\\u{ord(c):04x}" if c in '"\\\n' else c for c in name) + '"'
    yield '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'


@st.composite
def written(draw: Callable[[st.SearchStrategy[Any]], Any]) -> _Writer:
    """A file by somebody who knows all of TOML."""
    writer = _Writer(draw)
    writer.file()
    return writer


def _paths(value: Any, above: KeyPath = ()) -> Iterator[KeyPath]:
    if above:
        yield above
    if len(above) < DEEPEST and isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(inner, (*above, key))


@given(written(), st.sampled_from(["\n", "\r\n"]))
def test_every_key_has_the_line_that_it_was_written_in(writer: _Writer, newline: str) -> None:
    text = writer.text.replace("\n", newline)
    assert set(_paths(tomllib.loads(text))) == writer.lines.keys()
    assert lines_of_keys(text) == writer.lines


# Any text, and tomllib as the judge

_soup = st.lists(
    st.sampled_from(
        [
            *("[a]", "[[b]]", "[b.c]", "[a.b]", "x = 1", "y.z = 'q'", "y.w = [", "1,", "]", "],"),
            *('s = """', '"""', "t = '''", "'''", "u = {v = 1, w = [", "]}", "# '''", '"k" = "]"'),
            *("i = [{x = 1},", "{y = 2}]", "", "\\", "''", '""'),
        ]
    ),
    max_size=14,
)


def _parsed(lines: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None


@given(_soup)
def test_no_key_is_there_before_its_line_and_each_is_once_its_statement_ends(
    lines: list[str],
) -> None:
    assume(_parsed(lines) is not None)
    for path, line in lines_of_keys("\n".join(lines)).items():
        assert path not in _paths(_parsed(lines[: line - 1]) or {})
        ends = (_parsed(lines[:end]) for end in range(line, len(lines) + 1))
        whole = next(table for table in ends if table is not None)
        assert path in _paths(whole)
