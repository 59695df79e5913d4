"""Reading the configuration: TOML and drop-ins to a Config, or every problem at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model.options import PROFILES_OF_HOST
from ..model.units import show_duration
from . import files, slips
from .checking import CheckedFile, GuestTable, Values
from .config import Config, GuestOverride, Profiles
from .lines import line_of_error, lines_of_keys
from .names import Vocabulary
from .problems import ConfigError, Notice, Place, Problem
from .settings import (
    FORCED,
    LONGEST_STOP,
    SECTIONS,
    SETTINGS,
    Boot,
    General,
    Order,
    Setting,
    Shutdown,
    UserShutdown,
)

#: Where values stand, by the names of fields.
Places = Mapping[str, Place]


@dataclass(frozen=True)
class GuestOrigin:
    """Where a [[guest]] table, its match, its values and those of its profiles stand."""

    table: Place
    match: Place
    values: Places
    profiles: Mapping[str, Places] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What was found in configuration files.

    config is without what has a problem.  origins say where each value was set that is no
    default, by section and name of field; profile_origins those of each of config.profiles;
    guest_origins has one for each of config.guests.
    """

    config: Config
    problems: tuple[Problem, ...]
    notices: tuple[Notice, ...]
    origins: Mapping[tuple[str, str], Place]
    guest_origins: tuple[GuestOrigin, ...]
    profile_origins: Mapping[str, Places] = field(default_factory=dict)

    def sound(self) -> Config:
        """The configuration, if there is nothing wrong with it; else raises ConfigError."""
        if self.problems:
            raise ConfigError(self.problems)
        return self.config


def read(file: Path | None = None, rows: Sequence[Setting] = SETTINGS) -> Reading:
    """The configuration of this host, or of one file alone, without drop-ins.

    Without a file: /etc/guestctl/guestctl.toml, if there is one, then
    /etc/guestctl/conf.d/*.toml in the order of their names; a later value wins, and
    [[guest]] tables add up.
    """
    if file:
        return read_files([file], rows)
    reader = _Reader(rows)
    reader.read_host()
    return reader.result()


def read_files(paths: Iterable[Path], rows: Sequence[Setting] = SETTINGS) -> Reading:
    """The same of just these files, in their order."""
    reader = _Reader(rows)
    for path in paths:
        reader.read(path)
    return reader.result()


def read_text(text: str, path: Path) -> Reading:
    """The same of a text that is to be this file."""
    reader = _Reader(SETTINGS)
    reader.take(path, text)
    return reader.result()


class _Reader:
    """Collects what there is in several files, each over those before it."""

    def __init__(self, rows: Sequence[Setting]) -> None:
        self.vocabulary = Vocabulary(rows)
        self.problems: list[Problem] = []
        self.notices: list[Notice] = []
        self._values: dict[str, Values] = {section: {} for section in SECTIONS}
        self._profiles: dict[str, Values] = {}
        self._guests: list[GuestTable] = []

    def result(self) -> Reading:
        origins = {
            (section, name): value.place
            for section, values in self._values.items()
            for name, value in values.items()
        }
        notices = (*self.notices, *self._of_deadlines())
        return Reading(
            self._config(),
            tuple(self.problems),
            notices,
            origins,
            tuple(map(_origin, self._guests)),
            {name: _places(values) for name, values in self._profiles.items()},
        )

    def _of_deadlines(self) -> Iterator[Notice]:
        """Of those that a stop of the host goes by."""
        of_host = {f"profile.{name}": self._profiles.get(name, {}) for name in PROFILES_OF_HOST}
        for table, values in {"shutdown": self._values["shutdown"], **of_host}.items():
            value = values.get("deadline")
            if value and value.value > LONGEST_STOP:
                text = (
                    f"a stop of the host has {show_duration(LONGEST_STOP)} at most: systemd forces"
                    f" it after {show_duration(FORCED)} (JobTimeoutSec= of poweroff.target)"
                )
                yield Notice(value.place, f"{table}.deadline", text)

    def _config(self) -> Config:
        of = {section: _plain(values) for section, values in self._values.items()}
        return Config(
            General(**of[""]),
            Shutdown(**of["shutdown"]),
            Boot(**of["boot"]),
            tuple(map(_override, self._guests)),
            UserShutdown(**of["user-shutdown"]),
            Order(**of["order"]),
            _plain_profiles(self._profiles),
        )

    def read_host(self) -> None:
        """The host's files; the main file and the folder of drop-ins may be missing."""
        try:
            found = files.host_files()
        except OSError as error:
            self._unreadable(files.DROP_INS, f"cannot be read: {error.strerror or error}")
            found = [files.MAIN_FILE]
        for file in found:
            self.read(file, optional=file == files.MAIN_FILE)

    def read(self, path: Path, *, optional: bool = False) -> None:
        try:
            text = path.read_bytes().decode()
        except OSError as error:
            if optional and isinstance(error, FileNotFoundError):
                return
            self._unreadable(path, f"cannot be read: {error.strerror or error}")
        except UnicodeDecodeError as error:
            self._unreadable(path, f"is not UTF-8 (byte {error.start})")
        else:
            self.take(path, text)

    def take(self, path: Path, text: str) -> None:
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self._not_toml(path, text, error)
        except RecursionError:
            self._unreadable(path, "is not TOML: nested too deeply")
        except ValueError as error:  # a number of thousands of digits
            self._unreadable(path, f"is not TOML: {error}")
        else:
            self._take(CheckedFile(self.vocabulary, path, lines_of_keys(text), table))

    def _not_toml(self, path: Path, text: str, error: tomllib.TOMLDecodeError) -> None:
        line = line_of_error(error)
        meant = slips.hint(text, line)
        self._unreadable(path, f"is not TOML: {error}{meant and '; '}{meant}", line)

    def _take(self, file: CheckedFile) -> None:
        for section, values in file.sections.items():
            self._values[section] = {**self._values[section], **values}
        for name, values in file.profiles.items():
            self._profiles[name] = {**self._profiles.get(name, {}), **values}
        self._guests += file.guests
        self.problems += file.problems
        self.notices += file.notices

    def _unreadable(self, file: Path, message: str, line: int | None = None) -> None:
        self.problems.append(Problem(Place(file, line), "", message))


def _override(table: GuestTable) -> GuestOverride:
    return GuestOverride(table.match.value, _plain(table.values), _plain_profiles(table.profiles))


def _origin(table: GuestTable) -> GuestOrigin:
    profiles = {name: _places(values) for name, values in table.profiles.items()}
    return GuestOrigin(table.place, table.match.place, _places(table.values), profiles)


def _plain_profiles(profiles: Mapping[str, Values]) -> Profiles:
    return {name: _plain(values) for name, values in profiles.items()}


def _plain(values: Values) -> dict[str, Any]:
    return {name: value.value for name, value in values.items()}


def _places(values: Values) -> dict[str, Place]:
    return {name: value.place for name, value in values.items()}
