"""Reading the configuration: TOML and drop-ins to a Config, or every problem at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..model.units import BadValue, show_duration
from . import files, slips
from .config import Config, GuestOverride
from .lines import KeyPath, line_of_error, lines_of_keys, shown
from .names import Names, Vocabulary
from .problems import ConfigError, Message, Notice, Place, Problem
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
from .toml import shortly


@dataclass(frozen=True)
class GuestOrigin:
    """Where a [[guest]] table, its match and its values (by names of fields) stand."""

    table: Place
    match: Place
    values: Mapping[str, Place]


@dataclass(frozen=True)
class Reading:
    """What was found in configuration files.

    config is without what has a problem.  origins say where each value was set that is no
    default, by section and name of field; guest_origins has one for each of config.guests.
    """

    config: Config
    problems: tuple[Problem, ...]
    notices: tuple[Notice, ...]
    origins: Mapping[tuple[str, str], Place]
    guest_origins: tuple[GuestOrigin, ...]

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


class _Value(NamedTuple):
    value: Any
    place: Place


#: What is said of a key that is unknown, and whether it is that of a table.
Unknown = Callable[[str, bool], str]
#: What is a table at the top of a file.
_TABLES = {*filter(None, SECTIONS), "guest"}


class _Reader:
    """Collects what there is in several files, each over those before it."""

    def __init__(self, rows: Sequence[Setting]) -> None:
        self.vocabulary = Vocabulary(rows)
        self.problems: list[Problem] = []
        self.notices: list[Notice] = []
        self._values: dict[str, dict[str, _Value]] = {section: {} for section in SECTIONS}
        self._guests: list[GuestOverride] = []
        self._guest_origins: list[GuestOrigin] = []

    def result(self) -> Reading:
        origins = {
            (section, name): value.place
            for section, values in self._values.items()
            for name, value in values.items()
        }
        config = self._config()
        notices = (*self.notices, *self._of_deadline(config))
        return Reading(config, tuple(self.problems), notices, origins, tuple(self._guest_origins))

    def _of_deadline(self, config: Config) -> Iterator[Notice]:
        value = self._values["shutdown"].get("deadline")
        if value and config.shutdown.deadline > LONGEST_STOP:
            text = (
                f"a stop of the host has {show_duration(LONGEST_STOP)} at most: systemd forces it"
                f" after {show_duration(FORCED)} (JobTimeoutSec= of poweroff.target)"
            )
            yield Notice(value.place, "shutdown.deadline", text)

    def _config(self) -> Config:
        of = {section: _plain(values) for section, values in self._values.items()}
        return Config(
            General(**of[""]),
            Shutdown(**of["shutdown"]),
            Boot(**of["boot"]),
            tuple(self._guests),
            UserShutdown(**of["user-shutdown"]),
            Order(**of["order"]),
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
            table = tomllib.loads(text)
        except OSError as error:
            if optional and isinstance(error, FileNotFoundError):
                return
            self._unreadable(path, f"cannot be read: {error.strerror or error}")
        except UnicodeDecodeError as error:
            self._unreadable(path, f"is not UTF-8 (byte {error.start})")
        except tomllib.TOMLDecodeError as error:
            self._not_toml(path, text, error)
        except RecursionError:
            self._unreadable(path, "is not TOML: nested too deeply")
        except ValueError as error:  # a number of thousands of digits
            self._unreadable(path, f"is not TOML: {error}")
        else:
            self._take(_File(self, path, lines_of_keys(text)), table)

    def _not_toml(self, path: Path, text: str, error: tomllib.TOMLDecodeError) -> None:
        line = line_of_error(error)
        meant = slips.hint(text, line)
        self._unreadable(path, f"is not TOML: {error}{meant and '; '}{meant}", line)

    def _take(self, file: _File, table: Mapping[str, Any]) -> None:
        file.take(table)
        self.problems += sorted(file.problems, key=_by_line)
        self.notices += sorted(file.notices, key=_by_line)

    def _unreadable(self, file: Path, message: str, line: int | None = None) -> None:
        self.problems.append(Problem(Place(file, line), "", message))

    def set_section(self, section: str, values: Mapping[str, _Value]) -> None:
        self._values[section].update(values)

    def add_guest(self, place: Place, match: _Value, values: Mapping[str, _Value]) -> None:
        self._guests.append(GuestOverride(match.value, _plain(values)))
        places = {name: value.place for name, value in values.items()}
        self._guest_origins.append(GuestOrigin(place, match.place, places))


class _File:
    """One parsed file, being checked against the table of settings."""

    def __init__(self, reader: _Reader, path: Path, lines: Mapping[KeyPath, int]) -> None:
        self.problems: list[Problem] = []
        self.notices: list[Notice] = []
        self._reader = reader
        self._path = path
        self._lines = lines

    def take(self, table: Mapping[str, Any]) -> None:
        outside = {key: value for key, value in table.items() if key not in _TABLES}
        self._section("", (), outside)
        for section in (name for name in SECTIONS if name and name in table):
            if isinstance(table[section], dict):
                self._section(section, (section,), table[section])
            else:
                self._problem((section,), f"expected a table: [{section}]")
        self._guest_tables(table.get("guest", []))

    def _section(self, section: str, path: KeyPath, table: Mapping[str, Any]) -> None:
        vocabulary = self._reader.vocabulary
        unknown = partial(vocabulary.unknown, section=section)
        values = self._values(path, table, vocabulary.sections[section], unknown)
        self._reader.set_section(section, values)

    def _guest_tables(self, tables: Any) -> None:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            message = "expected an array of tables: [[guest]], in double brackets"
            self._problem(("guest",), message)
            return
        for index, table in enumerate(tables):
            self._guest(("guest", index), table)

    def _guest(self, path: KeyPath, table: Mapping[str, Any]) -> None:
        vocabulary = self._reader.vocabulary
        match = self._match(path, table)
        settings = {key: value for key, value in table.items() if key != "match"}
        values = self._values(path, settings, vocabulary.guest, vocabulary.unknown_for_guest)
        if match:
            self._reader.add_guest(self._place(path), match, values)

    def _match(self, path: KeyPath, table: Mapping[str, Any]) -> _Value | None:
        own = (*path, "match")
        place = self._place(own if "match" in table else path)
        match = table.get("match")
        if isinstance(match, str) and match:
            return _Value(match, place)
        message = 'expected a name, a pattern such as "db-*", or a UUID'
        self.problems.append(Problem(place, shown(own), message))
        return None

    def _values(
        self,
        path: KeyPath,
        table: Mapping[str, Any],
        names: Names,
        unknown: Unknown,
    ) -> dict[str, _Value]:
        """What one table sets, by the names of fields; the rest is told."""
        found: dict[str, _Value] = {}
        for key, value in table.items():
            own = (*path, key)
            setting = names.settings.get(names.current(key))
            if not setting:
                self._problem(own, unknown(key, _is_table(value)))
            elif self._applies(own, names.current(key), names.spelling(key, table)):
                found.update(self._value(own, setting, value))
        return found

    def _applies(self, path: KeyPath, name: str, spelling: str) -> bool:
        """Whether a key is the spelling that counts for its setting; an old one is told."""
        key = path[-1]
        if key != spelling:
            beside = self._place((*path[:-1], spelling))
            self._problem(path, f'is now called "{name}", but "{spelling}" is set too: {beside}')
        elif key != name:
            notice = Notice(self._place(path), shown(path), f'is now called "{name}"')
            self.notices.append(notice)
        return key == spelling

    def _value(self, path: KeyPath, setting: Setting, value: Any) -> Mapping[str, _Value]:
        try:
            parsed = setting.kind.parse(value)
        except BadValue as error:
            self._problem(path, _unfit(setting, value, error))
            return {}
        return {setting.name: _Value(parsed, self._place(path))}

    def _place(self, path: KeyPath) -> Place:
        return Place(self._path, self._lines.get(path))

    def _problem(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self._place(path), shown(path), message))


def _by_line(message: Message) -> int:
    return message.place.line or 0


def _plain(values: Mapping[str, _Value]) -> dict[str, Any]:
    return {name: value.value for name, value in values.items()}


def _unfit(setting: Setting, value: Any, error: BadValue) -> str:
    detail = f" ({error})" if str(error) else ""
    return f"expected {setting.kind.expected}, not {shortly(value)}{detail}"


def _is_table(value: Any) -> bool:
    """Whether it is a [table], or an array of them."""
    return isinstance(value, dict) or bool(
        value and isinstance(value, list) and all(isinstance(item, dict) for item in value)
    )
