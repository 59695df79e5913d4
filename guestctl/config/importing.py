"""What another program's settings are here: settings of ours, each with where it is from.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model.given import Given
from .problems import Place, Problem


@dataclass(frozen=True)
class Wanted:
    """One setting; value: as TOML has it.  origins: what it comes from, in words."""

    section: str
    key: str
    value: Any
    origins: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """settings: of sections.  guests: those of a guest, by its name.

    remarks: what has no equal here, or counts otherwise.  problems: what nothing can be made of.
    """

    settings: tuple[Wanted, ...] = ()
    guests: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: Imported) -> Imported:
        """Of both; a setting that both have must not be."""
        return Imported(
            self.settings + other.settings,
            {**self.guests, **other.guests},
            self.remarks + other.remarks,
            self.problems + other.problems,
        )

    def find(self, section: str, key: str) -> Wanted | None:
        """A setting of a section."""
        found = (it for it in self.settings if (it.section, it.key) == (section, key))
        return next(found, None)

    def without(self, settings: Iterable[tuple[str, str]]) -> Imported:
        """The same but for some settings, by sections and keys."""
        gone = set(settings)
        kept = tuple(it for it in self.settings if (it.section, it.key) not in gone)
        return Imported(kept, self.guests, self.remarks, self.problems)


class Collector:
    """Puts together what one program's settings are here."""

    def __init__(self) -> None:
        self._settings: list[Wanted] = []
        self._remarks: list[str] = []
        self._problems: list[Problem] = []

    def want(self, section: str, key: str, value: Any, *origins: Given | str) -> None:
        """A setting of ours, and what it comes from."""
        self._settings.append(Wanted(section, key, value, tuple(map(str, origins))))

    def remark(self, text: str) -> None:
        """What is to be said to whoever imports."""
        self._remarks.append(text)

    def remark_saves_in_turn(self, program: str) -> None:
        """How that one saves, which no setting of it says."""
        self.remark(
            f"{program} saves one guest after another; guestctl 16 at a time"
            " ([shutdown] parallel = 1 for the same)"
        )

    def problem(self, given: Given, message: str) -> None:
        """A value that nothing can be made of."""
        place = Place(Path(given.file), given.line)
        self._problems.append(Problem(place, given.key, message))

    def result(self) -> Imported:
        """All of it."""
        return Imported(tuple(self._settings), {}, tuple(self._remarks), tuple(self._problems))
