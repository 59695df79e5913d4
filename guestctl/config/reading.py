"""Reading the configuration: TOML and drop-ins to a Config, or every problem at once."""

from __future__ import annotations

import difflib
import os
import re
import reprlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.units import BadValue
from .config import Config, GuestOverride
from .settings import (
    GUEST_SETTINGS,
    SECTIONS,
    SETTINGS,
    Boot,
    General,
    Setting,
    Shutdown,
    UserShutdown,
)

MAIN_FILE = Path("/etc/guestctl/guestctl.toml")
DROP_INS = Path("/etc/guestctl/conf.d")


@dataclass(frozen=True)
class Problem:
    """Something wrong in a configuration file: where, and what was expected."""

    file: Path
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; problems holds every reason found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load(file: Path | None = None) -> Config:
    """The configuration of this host, or of one file alone, without drop-ins.

    Without a file: /etc/guestctl/guestctl.toml, if there is one, then
    /etc/guestctl/conf.d/*.toml in the order of their names; a later value wins, and
    [[guest]] tables add up.  Raises ConfigError with every problem of every file.
    """
    found, problems = load_what_can_be(file)
    if problems:
        raise ConfigError(problems)
    return found


def load_what_can_be(file: Path | None = None) -> tuple[Config, tuple[Problem, ...]]:
    """The same without what has a problem, and the problems: for when refusing is worse."""
    reader = _Reader()
    if file:
        reader.read(file)
    else:
        reader.read_host()
    return reader.config(), tuple(reader.problems)


def load_files(files: Iterable[Path]) -> tuple[Config, tuple[Problem, ...]]:
    """The same of just these files, in their order."""
    reader = _Reader()
    for file in files:
        reader.read(file)
    return reader.config(), tuple(reader.problems)


def host_files() -> list[Path]:
    """The host's files, in the order in which they are read; any may be gone by then.

    Raises OSError when the folder of drop-ins cannot be read.
    """
    try:
        names = sorted(os.listdir(DROP_INS))
    except (FileNotFoundError, NotADirectoryError):
        names = []
    # Hidden files are what editors and dpkg leave behind.
    drop_ins = [name for name in names if name.endswith(".toml") and not name.startswith(".")]
    return [MAIN_FILE, *(DROP_INS / name for name in drop_ins)]


class _Reader:
    """Collects values and problems over several files."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        self._guests: list[GuestOverride] = []

    def config(self) -> Config:
        return Config(
            General(**self._values[""]),
            Shutdown(**self._values["shutdown"]),
            Boot(**self._values["boot"]),
            tuple(self._guests),
            UserShutdown(**self._values["user-shutdown"]),
        )

    def read_host(self) -> None:
        """The host's files; the main file and the folder of drop-ins may be missing."""
        try:
            files = host_files()
        except OSError as error:
            self._problem(DROP_INS, None, "", f"cannot be read: {error.strerror or error}")
            files = [MAIN_FILE]
        for file in files:
            self.read(file, optional=file == MAIN_FILE)

    def read(self, path: Path, *, optional: bool = False) -> None:
        try:
            text = path.read_bytes().decode()
            table = tomllib.loads(text)
        except OSError as error:
            if optional and isinstance(error, FileNotFoundError):
                return
            self._problem(path, None, "", f"cannot be read: {error.strerror or error}")
        except UnicodeDecodeError as error:
            self._problem(path, None, "", f"is not UTF-8 (byte {error.start})")
        except tomllib.TOMLDecodeError as error:
            self._problem(path, _error_line(error), "", f"is not TOML: {error}")
        except RecursionError:
            self._problem(path, None, "", "is not TOML: nested too deeply")
        except ValueError as error:  # a number of thousands of digits
            self._problem(path, None, "", f"is not TOML: {error}")
        else:
            _File(self, path, _lines(text)).take(table)

    def _problem(self, file: Path, line: int | None, key: str, message: str) -> None:
        self.problems.append(Problem(file, line, key, message))

    def value(self, setting: Setting, value: Any) -> None:
        self._values[setting.section][setting.name] = value

    def guest(self, override: GuestOverride) -> None:
        self._guests.append(override)


class _File:
    """One parsed file, being checked against the table of settings."""

    def __init__(self, reader: _Reader, path: Path, lines: Mapping[str, int]) -> None:
        self._reader = reader
        self._path = path
        self._lines = lines

    def take(self, table: Mapping[str, Any]) -> None:
        sections = [section for section in SECTIONS if section]
        for key, value in table.items():
            if key in sections:
                self._section(key, value)
            elif key == "guest":
                self._guest_tables(value)
            else:
                known = _of_section("")
                self._setting(known, "", key, value, [*known, *sections, "guest"])

    def _section(self, section: str, table: Any) -> None:
        if not isinstance(table, dict):
            self.problem(section, f"expected a table: [{section}]")
            return
        for key, value in table.items():
            self._setting(_of_section(section), section, key, value)

    def _setting(
        self,
        known: Mapping[str, Setting],
        section: str,
        key: str,
        value: Any,
        alternatives: Iterable[str] = (),
    ) -> None:
        path = f"{section}.{key}" if section else key
        if key not in known:
            self.problem(path, _unknown(key, alternatives or known, section))
            return
        try:
            self._reader.value(known[key], known[key].kind.parse(value))
        except BadValue as error:
            self.problem(path, _unfit(known[key], value, error))

    def _guest_tables(self, tables: Any) -> None:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.problem("guest", "expected an array of tables: [[guest]], in double brackets")
            return
        for number, table in enumerate(tables, 1):
            self._guest(f"guest[{number}]", table)

    def _guest(self, path: str, table: Mapping[str, Any]) -> None:
        match = table.get("match")
        fits = isinstance(match, str) and match
        if not fits:
            self.problem(f"{path}.match", 'expected a name, a pattern such as "db-*", or a UUID')
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key != "match":
                values.update(self._guest_value(path, key, value))
        if fits:
            self._reader.guest(GuestOverride(str(match), values))

    def _guest_value(self, path: str, key: str, value: Any) -> Mapping[str, Any]:
        known = {setting.guest_key: setting for setting in GUEST_SETTINGS}
        try:
            setting = known[key]
            return {setting.name: setting.kind.parse(value)}
        except KeyError:
            self.problem(f"{path}.{key}", _unknown_for_guest(key, known))
        except BadValue as error:
            self.problem(f"{path}.{key}", _unfit(setting, value, error))
        return {}

    def problem(self, key: str, message: str) -> None:
        self._reader.problems.append(Problem(self._path, self._lines.get(key), key, message))


def _of_section(section: str) -> dict[str, Setting]:
    return {setting.key: setting for setting in SETTINGS if setting.section == section}


def _unfit(setting: Setting, value: Any, error: BadValue) -> str:
    detail = f" ({error})" if str(error) else ""
    return f"expected {setting.kind.expected}, not {_show(value)}{detail}"


def _show(value: Any) -> str:
    try:
        text = reprlib.repr(value)
    except ValueError:  # a number of thousands of digits
        return "this"
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(key: str, known: Iterable[str], section: str) -> str:
    near = difflib.get_close_matches(key, known, 1)
    homes = [s.section for s in SETTINGS if s.key == key and s.section != section]
    if homes:
        home = f"in [{homes[0]}]" if homes[0] else "above all [sections]"
        return f"unknown here; it belongs {home}"
    return f'unknown key; did you mean "{near[0]}"?' if near else "unknown key"


def _unknown_for_guest(key: str, known: Iterable[str]) -> str:
    for setting in SETTINGS:
        if setting.key == key and setting.per_guest:
            return f'unknown here; in a [[guest]] it is called "{setting.guest_key}"'
        if setting.key == key:
            return "is for the whole run, and cannot differ from guest to guest"
    return _unknown(key, [*known, "match"], "guest")


_HEADER = re.compile(r"\s*(\[\[?)\s*([\w-]+)\s*\]")
_KEY = re.compile(r"\s*([\w-]+)\s*=")


def _lines(text: str) -> dict[str, int]:
    """Where each key stands, for messages only: tomllib does not tell."""
    lines: dict[str, int] = {}
    prefix, guests = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            is_guest = header[1] == "[[" and header[2] == "guest"
            guests += is_guest
            prefix = f"guest[{guests}]." if is_guest else f"{header[2]}."
            lines.setdefault(prefix[:-1], number)
            lines.setdefault(f"{prefix}match", number)
        elif key := _KEY.match(line):
            lines[prefix + key[1]] = number
    return lines


def _error_line(error: tomllib.TOMLDecodeError) -> int | None:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else None
