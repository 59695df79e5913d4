"""What the file of another program gives: a value, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Value = str | int | tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """key, value: as that program reads them.

    file, line: where it stands, by its path; empty for what the program does by itself.
    is_default: nobody set it, the file is where the program has its defaults.
    """

    key: str
    value: Value
    file: str = ""
    line: int | None = None
    is_default: bool = False

    @property
    def where(self) -> str:
        """Where the value is from, for people."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ", ".join(filter(None, ("the default" if self.is_default else "", place)))

    def __str__(self) -> str:
        return f"{self.key}={self.value} ({self.where})"


#: By their keys.
Givens = Mapping[str, Given]


class NotUnderstood(Exception):
    """A file that is not what it should be; the text says where, what, and what to do."""

    def __init__(self, file: object, line: int | None, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
