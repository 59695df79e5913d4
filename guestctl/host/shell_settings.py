"""Files of settings that a shell reads, as /etc/default has them: read, and not run.

What is understood is what gives the same in every shell: assignments of words, quoted or not, with
`export` before them or not.  Where a shell would compute a value or run a command, any value of the
file may come out otherwise: such a file is refused, with the line.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from ..model.given import Given, NotUnderstood

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_BLANKS, _NEWLINE, _ENDS = " \t", "\n", " \t\n;"
#: Outside of quotes a shell does something with these, other than keeping them.
_OPERATORS = "&|<>()"
_COMPUTED = "$`"
#: After a backslash between double quotes; others keep it.
_ESCAPED = '$`"\\'
_INSTEAD = "write the value itself there, or name a file that has it"


@dataclass
class _Word:
    """name: of the variable that it gives a value; none where it gives none."""

    line: int
    name: str = ""
    text: str = ""
    is_quoted: bool = False
    is_pattern: bool = False


def read(text: str, file: Path) -> dict[str, Given]:
    """The values by names; the last of a name counts.  Raises NotUnderstood."""
    found: dict[str, Given] = {}
    for word in _Reader(text, file).words():
        found[word.name] = Given(word.name, word.text, str(file), word.line)
    return found


class _Reader:
    def __init__(self, text: str, file: Path) -> None:
        self._text = text
        self._file = file
        self._at = 0
        self._line = 1
        if "\0" in text:
            self._refuse("is no text: it has a NUL", text[: text.index("\0")].count("\n") + 1)

    def words(self) -> list[_Word]:
        """Those that give a value, of all commands."""
        found: list[_Word] = []
        while self._skip_to_command():
            found += self._values(self._command())
        return found

    def _skip_to_command(self) -> bool:
        while self._skip_blanks() and self._peek() == _NEWLINE:
            self._take()
        return self._at < len(self._text)

    def _command(self) -> list[_Word]:
        """Its words, up to its end, which is taken as well."""
        found: list[_Word] = []
        while self._skip_blanks() and self._peek() not in _NEWLINE + ";":
            found.append(self._word())
        if self._take() == ";" and not (found and self._peek() != ";"):
            self._refuse('a shell finds a mistake here: a ";" that ends nothing')
        return found

    def _values(self, words: list[_Word]) -> list[_Word]:
        if not words:
            return []
        first = words[0]
        if first.text == "export" and not (first.name or first.is_quoted) and words[1:]:
            return [word for word in words[1:] if self._is_exported(word)]
        if command := next((word for word in words if not word.name), None):
            self._refuse(f"a shell would run {command.text!r} here; {_INSTEAD}", command.line)
        return words

    def _is_exported(self, word: _Word) -> bool:
        """Whether it has a value as well.  A shell looks for files by patterns there."""
        if word.is_pattern or not (word.name or _NAME.fullmatch(word.text)) or word.is_quoted:
            what = f"{word.name}={word.text}" if word.name else word.text
            self._refuse(f"export of {what!r} is not understood; {_INSTEAD}", word.line)
        return bool(word.name)

    # Words

    def _word(self) -> _Word:
        word = _Word(self._line)
        while self._at < len(self._text) and self._peek() not in _ENDS:
            self._part(word)
        return word

    def _part(self, word: _Word) -> None:
        mark = self._take()
        if mark in "'\"":
            word.is_quoted |= not word.name
            word.text += self._single() if mark == "'" else self._double(word)
        elif mark == "\\":
            word.is_quoted |= self._peek() != _NEWLINE and not word.name
            word.text += self._after_backslash()
        elif mark in _OPERATORS:
            self._refuse(f"a shell would not take {mark!r} as it stands; put it between quotes")
        elif mark in _COMPUTED or mark == "~":
            self._refuse_computed(word)
        elif mark == "=" and not word.name and self._is_name(word):
            word.name, word.text = word.text, ""
        else:
            word.is_pattern |= mark in "*?["
            word.text += mark

    def _is_name(self, word: _Word) -> bool:
        return not word.is_quoted and bool(_NAME.fullmatch(word.text))

    def _single(self) -> str:
        begun, end = self._line, self._text.find("'", self._at)
        if end < 0:
            self._refuse("the ' that opens here is not closed", begun)
        text = self._text[self._at : end]
        self._at, self._line = end + 1, self._line + text.count(_NEWLINE)
        return text

    def _double(self, word: _Word) -> str:
        begun, text = self._line, ""
        while (mark := self._take()) != '"':
            if not mark:
                self._refuse('the " that opens here is not closed', begun)
            if mark in _COMPUTED:
                self._refuse_computed(word)
            text += self._between_quotes() if mark == "\\" else mark
        return text

    def _between_quotes(self) -> str:
        """What a backslash and what comes after it stand for there."""
        if self._peek() == _NEWLINE:
            return self._after_backslash()
        return self._take() if self._peek() and self._peek() in _ESCAPED else "\\"

    def _after_backslash(self) -> str:
        mark = self._take()
        if not mark:
            self._refuse("the file ends with a backslash")
        return "" if mark == _NEWLINE else mark

    # Characters

    def _skip_blanks(self) -> bool:
        """Whether there is something after blanks, comments and lines that go on."""
        while self._at < len(self._text):
            if self._text.startswith("\\\n", self._at):
                self._take()
            elif self._peek() == "#":
                end = self._text.find(_NEWLINE, self._at)
                self._at = len(self._text) if end < 0 else end
                continue
            elif self._peek() not in _BLANKS:
                return True
            self._take()
        return False

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        """The next character; empty at the end."""
        mark = self._peek()
        self._at += len(mark)
        self._line += mark == _NEWLINE
        return mark

    def _refuse_computed(self, word: _Word) -> None:
        what = f"the value of {word.name}" if word.name else "this"
        self._refuse(f"a shell would compute {what}; {_INSTEAD}", word.line)

    def _refuse(self, message: str, line: int = 0) -> None:
        raise NotUnderstood(self._file, line or self._line, message)


def read_defaults(script: str, file: Path, names: Container[str]) -> dict[str, Given]:
    """What a script assigns to these variables by itself, at the beginning of a line; the first of
    each counts.  What is not understood is left out."""
    found: dict[str, Given] = {}
    for number, line in enumerate(script.split("\n"), 1):
        name = line.partition("=")[0]
        if name in names and name not in found:
            with contextlib.suppress(NotUnderstood):
                value = read(line, file)[name].value
                found[name] = Given(name, value, str(file), number, is_default=True)
    return found
