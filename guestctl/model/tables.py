"""Values to tables and back, as a file of text can hold them.  Pure.

A field is a key, with "-" for "_".  A value within a value has its fields in the same table;
several of them are a list of tables.  What is None is left out, and a list that is None is the
word "unknown".
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from math import inf
from typing import Any, TypeVar

from .kinds import hints, is_compound
from .units import BadValue, parse_size

T = TypeVar("T")

#: From the outermost table to a key: keys, and places in lists, from 0.
Path = tuple[str | int, ...]

UNKNOWN = "unknown"
#: What SQLite and TOML can hold; times, sizes and numbers are never below 0.
_MOST = 2**63 - 1


class TableError(ValueError):
    """A table that is not of the kind; path is where in it."""

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        super().__init__(message)


def to_table(thing: Any) -> dict[str, Any]:
    """The value of a dataclass or named tuple as a table."""
    table: dict[str, Any] = {}
    kind: Any = type(thing)
    for name, hint in hints(kind).items():
        value = getattr(thing, name)
        if is_compound(hint):
            table |= to_table(value)
        elif value is not None:
            table[_key(name)] = _plain(value)
        elif _is_list(_inner(hint)):
            table[_key(name)] = UNKNOWN
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if not isinstance(value, tuple):
        return value
    return [to_table(part) if is_compound(type(part)) else _plain(part) for part in value]


def from_table(kind: type[T], table: Mapping[str, Any], path: Path = ()) -> T:
    """The value that to_table made the table of.

    Whole numbers may be sizes such as "512MiB".  Raises TableError for what is not of the kind:
    a key that is not known, one that is missing, a value that does not fit.
    """
    made: T = _checked(kind, table, path)
    return made


def _checked(kind: Any, table: Mapping[str, Any], path: Path) -> Any:
    for key in table:
        if key not in _keys(kind):
            raise TableError((*path, key), "unknown key")
    return _make(kind, table, path)


def _make(kind: Any, table: Mapping[str, Any], path: Path) -> Any:
    values = {}
    for name, hint in hints(kind).items():
        key = _key(name)
        if is_compound(hint):
            values[name] = _make(hint, table, path)
        elif key in table:
            values[name] = _value(hint, table[key], (*path, key))
        elif name not in _defaults(kind):
            if not _is_optional(hint):
                raise TableError(path, f"{key} is missing")
            values[name] = None
    return kind(**values)


def _value(hint: Any, value: Any, path: Path) -> Any:
    kind = _inner(hint)
    if _is_list(kind):
        if value == UNKNOWN and _is_optional(hint):
            return None
        return _list(typing.get_args(kind)[0], value, path)
    if is_compound(kind):
        if not isinstance(value, dict):
            raise TableError(path, "expected a table")
        return _checked(kind, value, path)
    return _scalar(kind, value, path)


def _list(kind: Any, value: Any, path: Path) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TableError(path, "expected a list")
    return tuple(_value(kind, part, (*path, index)) for index, part in enumerate(value))


def _scalar(kind: type, value: Any, path: Path) -> Any:
    if issubclass(kind, StrEnum):
        return _word(kind, value, path)
    if kind is int:
        return whole_number(value, path)
    if kind is float:
        return _number(value, path)
    if not isinstance(value, kind):
        raise TableError(path, "expected true or false" if kind is bool else "expected a text")
    return value


def _word(kind: type[StrEnum], value: Any, path: Path) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise TableError(path, f"expected one of {', '.join(kind)}") from None


def whole_number(value: Any, path: Path) -> int:
    """A number as from_table reads it.  Raises TableError."""
    if isinstance(value, str):
        try:
            return parse_size(value)
        except BadValue:
            raise TableError(path, 'expected a number, or a size such as "512MiB"') from None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise TableError(path, "expected a whole number from 0 to 2^63 - 1")
    return value


def _number(value: Any, path: Path) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not 0 <= value < inf or value > _MOST:
        raise TableError(path, "expected a number from 0 on")
    return float(value)


# What kinds are made of


def _key(name: str) -> str:
    return name.replace("_", "-")


@cache
def _keys(kind: type) -> frozenset[str]:
    """All keys of a table of this kind."""
    found: set[str] = set()
    for name, hint in hints(kind).items():
        found |= _keys(hint) if is_compound(hint) else {_key(name)}
    return frozenset(found)


@cache
def _defaults(kind: type) -> frozenset[str]:
    """Fields that need not be given."""
    if not is_dataclass(kind):
        return frozenset()
    given = ((row.name, row.default, row.default_factory) for row in fields(kind))
    return frozenset(name for name, *defaults in given if defaults != [MISSING, MISSING])


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


def _is_optional(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) and type(None) in hint.__args__


def _inner(hint: Any) -> Any:
    """The hint without None."""
    if not _is_optional(hint):
        return hint
    (kind,) = (kind for kind in hint.__args__ if kind is not type(None))
    return kind
