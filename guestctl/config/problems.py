"""What there is to say about configuration files: where, and what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A line of a file, without a line where that cannot be told; or the metadata of a guest."""

    file: Path
    line: int | None = None
    guest: str = ""

    def __str__(self) -> str:
        if self.guest:
            return f"the metadata of {self.guest}"
        return f"{self.file}:{self.line}" if self.line else str(self.file)


def in_metadata(guest: str) -> Place:
    """That of the guest of this name."""
    return Place(Path(), guest=guest)


@dataclass(frozen=True)
class Message:
    """One thing to say.  key is empty for a file as a whole."""

    place: Place
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.place), self.key, self.message)))


class Problem(Message):
    """Something wrong, and what was expected."""


class Notice(Message):
    """Something that its owner should know although it is read as meant."""


class ConfigError(Exception):
    """The configuration cannot be used; problems holds every reason found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
