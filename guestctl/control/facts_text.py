"""The facts of a host as text, and back: docs/reference/facts.md has its keys.  Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .. import __version__
from ..config.config import Config, GuestOverride, Profiles
from ..config.lines import KeyPath, line_of_error, lines_of_keys, shown
from ..config.settings import (
    GUEST_PROFILE_SETTINGS,
    GUEST_SETTINGS,
    PROFILE_SETTINGS,
    SECTIONS,
    SETTINGS,
    Boot,
    General,
    Order,
    Setting,
    Shutdown,
    UserShutdown,
)
from ..config.toml import quoted, written
from ..decisions.host_facts import HostFacts, LostConnection
from ..model.guest import GuestFacts
from ..model.history import PastShutdown, PastStart
from ..model.record import GuestRecord
from ..model.save import SaveRecord
from ..model.tables import TableError, from_table, to_table, whole_number
from ..model.units import BadValue, parse_size, show_size

#: Of the text; a higher one is not read by versions before it.
FORMAT = 1
#: The last table, which is empty: a text that was cut off between lines is TOML as well.
_END = "end"

T = TypeVar("T")


class FactsError(ValueError):
    """A text that is not one of facts; line is where, or None where that cannot be told."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(message)


@dataclass(frozen=True)
class _Head:
    """What stands above all tables; guestctl: the version that wrote it."""

    format: int
    guestctl: str
    boot: str
    at: int
    uris: tuple[str, ...]
    owns_next_boot: bool
    sees_all: bool
    up: int = 0


# Writing


def to_text(facts: HostFacts) -> str:
    """The facts as TOML, in ASCII: it passes through any terminal as it is."""
    parts = [_head(facts), _room(facts.room)]
    parts += _tables("unreadable", facts.lost)
    parts += _tables("guest", facts.guests)
    parts += _tables("record", facts.records)
    parts += _tables("save", facts.saves)
    parts += _tables("past-shutdown", facts.shutdowns)
    parts += _tables("past-start", facts.starts)
    text = "\n".join([*parts, *_config(facts.config), f"[{_END}]\n"])
    return "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in text)


def _head(facts: HostFacts) -> str:
    owns, sees = facts.owns_next_boot, facts.sees_all
    head = _Head(FORMAT, __version__, facts.boot, facts.at, facts.uris, owns, sees, facts.up)
    return _lines(to_table(head))


def _room(room: Mapping[str, int]) -> str:
    return "[room]\n" + _lines({quoted(uri): _size(free) for uri, free in room.items()})


def _tables(name: str, things: Iterable[object]) -> Iterator[str]:
    for thing in things:
        table = to_table(thing)
        if "memory" in table:
            table["memory"] = _size(table["memory"])
        yield f"[[{name}]]\n" + _lines(table)


def _lines(table: Mapping[str, object]) -> str:
    return "".join(f"{key} = {written(value)}\n" for key, value in table.items())


def _size(size: int) -> str | int:
    """For a person to read, as far as nothing is lost."""
    text = show_size(size)
    try:
        return text if parse_size(text) == size else size
    except BadValue:  # too large for a size that somebody writes
        return size


def _config(config: Config) -> Iterator[str]:
    for section, values in config.sections.items():
        rows = [row for row in SETTINGS if row.section == section]
        title = f"config.{section}" if section else "config"
        yield f"[{title}]\n" + "".join(_setting(row.key, row, values) for row in rows)
    yield from _profiles("config", config.profiles)
    for override in config.guests:
        match = f"match = {quoted(override.match)}\n"
        yield f"[[config.guest]]\n{match}{_own(GUEST_SETTINGS, override.values)}"
        yield from _profiles("config.guest", override.profiles)


def _setting(key: str, row: Setting, values: object) -> str:
    return f"{key} = {row.kind.show(getattr(values, row.name))}\n"


def _profiles(table: str, profiles: Profiles) -> Iterator[str]:
    for name, values in profiles.items():
        yield f"[{table}.profile.{name}]\n{_own(PROFILE_SETTINGS, values)}"


def _own(rows: Iterable[Setting], values: Mapping[str, Any]) -> str:
    """Those that are given; [shutdown] and a [[guest]] call its settings the same."""
    given = (row for row in rows if row.name in values)
    return "".join(f"{row.guest_key} = {row.kind.show(values[row.name])}\n" for row in given)


# Reading


def from_text(text: str) -> HostFacts:
    """The facts that to_text wrote.  Raises FactsError for anything else."""
    tables = _parsed(text)
    try:
        return _facts(tables)
    except TableError as error:
        message = f"{shown(error.path)}: {error}" if error.path else str(error)
        raise FactsError(message, _line(lines_of_keys(text), error.path)) from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FactsError(f"is not TOML: {error}", line_of_error(error)) from error
    except RecursionError as error:
        raise FactsError("is not TOML: nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise FactsError(f"is not TOML: {error}") from error


def _line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Of the innermost table around the path whose line is known."""
    depths = range(len(path), 0, -1)
    return next((lines[path[:depth]] for depth in depths if path[:depth] in lines), None)


def _facts(tables: Mapping[str, Any]) -> HostFacts:
    _check_format(tables)
    head = from_table(_Head, {key: tables[key] for key in tables if key not in _TABLES})
    return HostFacts(
        head.boot,
        head.at,
        head.uris,
        head.owns_next_boot,
        head.sees_all,
        _config_of(_table(tables, "config")),
        _things(LostConnection, tables, "unreadable"),
        _room_of(_table(tables, "room")),
        _things(GuestFacts, tables, "guest"),
        _things(GuestRecord, tables, "record"),
        _things(SaveRecord, tables, "save"),
        head.up,
        shutdowns=_things(PastShutdown, tables, "past-shutdown"),
        starts=_things(PastStart, tables, "past-start"),
    )


_TABLES = {
    "config",
    "room",
    "unreadable",
    "guest",
    "record",
    "save",
    "past-shutdown",
    "past-start",
    _END,
}


def _check_format(tables: Mapping[str, Any]) -> None:
    """Before anything else is looked at: another format may have other keys.

    What is left of a text that was cut off would be planned as if it were all.
    """
    if "format" not in tables:
        raise TableError((), "it has no format, as if `guestctl facts` had not written it")
    if tables["format"] != FORMAT:
        raise TableError(("format",), f"this version of guestctl reads format {FORMAT} alone")
    if tables.get(_END) != {}:
        raise TableError((), f"it is cut off: its last line, [{_END}], is missing")


def _table(tables: Mapping[str, Any], *path: str | int) -> dict[str, Any]:
    """The table that the path ends at; empty where there is none."""
    found = tables.get(str(path[-1]), {})
    if not isinstance(found, dict):
        raise TableError(path, "expected a table")
    return found


def _array(tables: Mapping[str, Any], *path: str) -> list[dict[str, Any]]:
    found = tables.get(path[-1], [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise TableError(path, f"expected an array of tables: [[{'.'.join(path)}]]")
    return found


def _things(kind: type[T], tables: Mapping[str, Any], key: str) -> tuple[T, ...]:
    found = enumerate(_array(tables, key))
    return tuple(from_table(kind, table, (key, index)) for index, table in found)


def _room_of(table: Mapping[str, Any]) -> dict[str, int]:
    return {uri: whole_number(free, ("room", uri)) for uri, free in table.items()}


def _config_of(table: Mapping[str, Any]) -> Config:
    guests = _array(table, "config", "guest")
    return Config(
        General(**_section("", {key: table[key] for key in table if key not in _SUBTABLES})),
        Shutdown(**_section("shutdown", _table(table, "config", "shutdown"))),
        Boot(**_section("boot", _table(table, "config", "boot"))),
        tuple(_override(own, ("config", "guest", index)) for index, own in enumerate(guests)),
        UserShutdown(**_section("user-shutdown", _table(table, "config", "user-shutdown"))),
        Order(**_section("order", _table(table, "config", "order"))),
        _profiles_of(table, ("config",), PROFILE_SETTINGS),
    )


_SUBTABLES = {*filter(None, SECTIONS), "guest", "profile"}


def _section(section: str, table: Mapping[str, Any]) -> dict[str, Any]:
    rows = {row.key: row for row in SETTINGS if row.section == section}
    return _settings(rows, table, ("config", section) if section else ("config",))


def _override(table: Mapping[str, Any], path: KeyPath) -> GuestOverride:
    match = table.get("match")
    if not isinstance(match, str):
        raise TableError((*path, "match"), "expected a text")
    rest = {key: value for key, value in table.items() if key not in ("match", "profile")}
    settings = _settings({row.guest_key: row for row in GUEST_SETTINGS}, rest, path)
    return GuestOverride(match, settings, _profiles_of(table, path, GUEST_PROFILE_SETTINGS))


def _profiles_of(table: Mapping[str, Any], path: KeyPath, rows: Iterable[Setting]) -> Profiles:
    profiles = _table(table, *path, "profile")
    by_key = {row.key: row for row in rows}
    return {
        name: _settings(by_key, _table(profiles, *path, "profile", name), (*path, "profile", name))
        for name in profiles
    }


def _settings(
    rows: Mapping[str, Setting], table: Mapping[str, Any], path: KeyPath
) -> dict[str, Any]:
    """By the names of their fields; those left out have their defaults."""
    found = {}
    for key, value in table.items():
        if key not in rows:
            raise TableError((*path, key), "unknown key")
        row = rows[key]
        try:
            found[row.name] = row.kind.parse(value)
        except BadValue as error:
            raise TableError((*path, key), f"expected {row.kind.expected}") from error
    return found
