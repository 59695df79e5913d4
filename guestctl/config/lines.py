"""Where each key stands in a TOML text: tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

from .toml import quoted

#: From the root to a key: names of tables and keys, and places in arrays, from 0.
KeyPath = tuple[str | int, ...]

#: As deep as a key of a guest's profile: ("guest", 0, "profile", "reboot", "save").  What lies
#: deeper is no setting, and may lie as deep as its author likes.
DEEPEST = 5


def lines_of_keys(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each key, table and table in an array, down to DEEPEST.

    The text must be one that tomllib accepts: only what parts one key from the next is looked
    at.  A table that is written in several places has the line of the first.
    """
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


def shown(path: KeyPath) -> str:
    """The path as a person writes it: guest[1].match."""
    steps = (f"[{step + 1}]" if isinstance(step, int) else f".{_written(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def _written(key: str) -> str:
    """A key as TOML has it: it may hold anything."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else quoted(key)


def line_of_error(error: tomllib.TOMLDecodeError) -> int | None:
    """Where a text stops being TOML, which tomllib says in words alone before Python 3.14."""
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else None


class _Token(NamedTuple):
    text: str
    line: int


_TOKEN = re.compile(
    r'''
      (?P<skipped> [ \t]+ | \#[^\n]* )
    | """ (?: \\. | [^\\] )*? """ "{0,2}  # up to two quotes may stand before the closing three
    | \'\'\' .*? \'\'\' '{0,2}
    | " (?: \\. | [^"\\] )* "
    | ' [^']* '
    | [\n\[\]{}=,.]
    | [^\s\[\]{}=,."'\#]+
    ''',
    re.VERBOSE | re.DOTALL,
)
_END = ""


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found["skipped"] is None:
            yield _Token(found[0], line)
        line += found[0].count("\n")
    yield _Token(_END, line)


class _Scanner:
    """Goes through the tokens of one text, statement by statement: a method for each kind."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._tokens = list(_tokens(text))
        self._at = 0
        self._table: KeyPath = ()
        #: How many tables an array of tables has so far.
        self._counts: dict[KeyPath, int] = {}

    def scan(self) -> None:
        while (text := self._text()) != _END:
            if text == "\n":
                self._at += 1
            elif text == "[":
                self._header()
            else:
                self._pair(self._table)

    def _text(self) -> str:
        return self._tokens[min(self._at, len(self._tokens) - 1)].text

    def _next(self) -> _Token:
        token = self._tokens[min(self._at, len(self._tokens) - 1)]
        self._at += 1
        return token

    def _note(self, above: KeyPath, path: KeyPath, line: int) -> None:
        """The path, and the tables that it makes on the way from the one above."""
        for depth in range(len(above) + 1, min(len(path), DEEPEST) + 1):
            self.lines.setdefault(path[:depth], line)

    def _header(self) -> None:
        line = self._next().line
        of_array = self._text() == "["
        self._at += of_array
        *above, last = self._key()[:DEEPEST]
        self._at += 1 + of_array
        path = (*self._inside(above), last)
        self._note((), path, line)
        if of_array:
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
            self._note((), path, line)
        self._table = path

    def _inside(self, names: list[str]) -> KeyPath:
        """The table of these names; of an array of tables, the last one is meant."""
        path: KeyPath = ()
        for name in names:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _key(self) -> list[str]:
        parts = [_bare(self._next().text)]
        while self._text() == ".":
            self._at += 1
            parts.append(_bare(self._next().text))
        return parts

    def _pair(self, table: KeyPath) -> None:
        line = self._tokens[self._at].line
        path = (*table, *self._key())
        self._note(table, path, line)
        self._at += 1  # the sign of equality
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        deeper = len(path) < DEEPEST
        if deeper and self._text() == "{":
            self._inline_table(path)
        elif deeper and self._text() == "[":
            self._array(path)
        else:
            self._pass_over()

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while (text := self._text()) not in ("}", _END):
            if text in ("\n", ","):  # TOML 1.1 lets them span lines
                self._at += 1
            else:
                self._pair(path)
        self._at += 1

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while (text := self._text()) not in ("]", _END):
            if text in ("\n", ","):
                self._at += 1
                index += text == ","
            else:
                self._note(path, (*path, index), self._tokens[self._at].line)
                self._value((*path, index))
        self._at += 1

    def _pass_over(self) -> None:
        """To the end of a value: what ends it is left."""
        depth = 0
        while (text := self._text()) != _END:
            if depth == 0 and text in ("\n", ",", "]", "}"):
                return
            depth += (text in ("[", "{")) - (text in ("]", "}"))
            self._at += 1


def _bare(part: str) -> str:
    """A part of a key without its quotes."""
    if part[0] not in "\"'":
        return part
    (name,) = tomllib.loads(f"{part} = 0")
    return name
