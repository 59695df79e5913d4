"""libvirt's own configuration files, as qemu.conf: keys and values, read as libvirt reads them."""

from __future__ import annotations

import re
from pathlib import Path

from ...model.given import Given, NotUnderstood, Value

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANKS = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
#: Nothing is escaped in any of them.
_TEXT = re.compile(r'"""(.*?)"""|"([^"]*)"|\'([^\']*)\'', re.DOTALL)
_END = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")


def read(text: str, file: Path) -> dict[str, Given]:
    """The values by keys; the last of a key counts.  Raises NotUnderstood."""
    found: dict[str, Given] = {}
    reader = _Reader(text, file)
    while reader.skip(_SPACE):
        line = reader.line
        key = reader.expect(_KEY, "the name of a setting")
        reader.skip(_BLANKS)
        reader.expect(re.compile("="), f'a "=" after {key}')
        reader.skip(_BLANKS)
        found[key] = Given(key, reader.value(), str(file), line)
        reader.expect(_END, f"the end of the line after the value of {key}")
    return found


class _Reader:
    def __init__(self, text: str, file: Path) -> None:
        self._text = text
        self._file = file
        self._at = 0

    @property
    def line(self) -> int:
        """The line that has come, from 1."""
        return self._text.count("\n", 0, self._at) + 1

    def skip(self, what: re.Pattern[str]) -> bool:
        """Whether there is something after it."""
        if found := what.match(self._text, self._at):
            self._at = found.end()
        return self._at < len(self._text)

    def expect(self, what: re.Pattern[str], expected: str) -> str:
        """What stands there; NotUnderstood where it is something else."""
        found = what.match(self._text, self._at)
        if not found:
            raise NotUnderstood(self._file, self.line, f"expected {expected}")
        self._at = found.end()
        return found[0]

    def value(self) -> Value:
        """A text, a number, or texts in brackets."""
        return self._list() if self._text.startswith("[", self._at) else self._one()

    def _one(self) -> str | int:
        if found := _TEXT.match(self._text, self._at):
            self._at = found.end()
            return next((text for text in found.groups() if text is not None), "")
        return int(self.expect(_NUMBER, 'a number, a text between quotes, or a list: ["...", ...]'))

    def _list(self) -> tuple[str, ...]:
        self._at += 1
        found: list[str] = []
        while self.skip(_SPACE) and not self._text.startswith("]", self._at):
            found.append(str(self._one()))
            self.skip(_SPACE)
            if not self._text.startswith("]", self._at):
                self.expect(re.compile(","), 'a "," or a "]" in the list')
        self.expect(re.compile(r"\]"), 'a "]" at the end of the list')
        return tuple(found)
