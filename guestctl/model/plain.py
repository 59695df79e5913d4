"""Values as JSON can hold them, and back.  Pure.

A dataclass or a named tuple is a dict by the names of its fields, one within another as it is.
A StrEnum is its word, a tuple or list a list, and a number without end the word "infinity", which
JSON has no number for.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from math import inf, isinf, isnan
from typing import Any, TypeVar

from .kinds import hints, is_compound

T = TypeVar("T")

INFINITY = "infinity"


class PlainError(ValueError):
    """What is not of the kind: the text says where in it, and what was expected there."""


def to_plain(value: Any) -> Any:
    """The value as `json.dumps` takes it, and as from_plain reads it."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float) and isinf(value):
        return INFINITY if value > 0 else f"-{INFINITY}"
    kind: Any = type(value)
    if is_compound(kind):
        return {name: to_plain(getattr(value, name)) for name in hints(kind)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    if isinstance(value, Collection) and not isinstance(value, str):
        return [to_plain(one) for one in value]
    return value


def from_plain(kind: type[T], value: Any) -> T:
    """The value that to_plain was given.  Raises PlainError for what is not of the kind.

    Keys that are not known are left out: a newer version may say more.  Those that are missing
    have their defaults, and are an error where there is none.
    """
    made: T = _read(kind, value, "")
    return made


def _read(hint: Any, value: Any, path: str) -> Any:
    if isinstance(hint, types.UnionType):
        return _optional(hint, value, path)
    origin = typing.get_origin(hint)
    if origin in (tuple, list):
        return origin(_several(hint, value, path))
    if origin in (dict, Mapping):
        return _by_key(typing.get_args(hint)[1], value, path)
    if is_compound(hint):
        return _compound(hint, value, path)
    return _scalar(hint, value, path)


def _optional(hint: types.UnionType, value: Any, path: str) -> Any:
    """None, or the one kind beside it."""
    if value is None and type(None) in hint.__args__:
        return None
    (kind,) = (kind for kind in hint.__args__ if kind is not type(None))
    return _read(kind, value, path)


def _several(hint: Any, value: Any, path: str) -> list[Any]:
    """A list, or a tuple of as many as there are, or of one of each kind."""
    kinds = typing.get_args(hint)
    if not isinstance(value, list):
        raise _wrong(path, "a list", value)
    if len(kinds) == 1 or kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise _wrong(path, f"a list of {len(kinds)}", value)
    pairs = enumerate(zip(kinds, value, strict=True))
    return [_read(kind, one, f"{path}[{place}]") for place, (kind, one) in pairs]


def _by_key(kind: Any, value: Any, path: str) -> dict[str, Any]:
    found = _object(value, path)
    return {key: _read(kind, one, _below(path, key)) for key, one in found.items()}


def _compound(kind: Any, value: Any, path: str) -> Any:
    given = _object(value, path)
    for name in hints(kind).keys() - _defaults(kind) - given.keys():
        raise PlainError(f"{_below(path, name)}: is missing")
    known = ((name, hint) for name, hint in hints(kind).items() if name in given)
    return kind(**{name: _read(hint, given[name], _below(path, name)) for name, hint in known})


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(path, "an object", value)
    return value


def _scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is Any:
        return value
    if kind is float:
        return _number(value, path)
    if issubclass(kind, StrEnum):
        if value not in list(kind):
            raise _wrong(path, f"one of {', '.join(kind)}", value)
        return kind(value)
    if type(value) is not kind:  # True is an int as well
        raise _wrong(path, _WORDS[kind], value)
    return value


_WORDS = {str: "a text", int: "a whole number", bool: "true or false"}
_ENDLESS = {INFINITY: inf, f"-{INFINITY}": -inf}


def _number(value: Any, path: str) -> float:
    if isinstance(value, str) and value in _ENDLESS:
        return _ENDLESS[value]
    try:
        number = float(value) if type(value) in (int, float) else None
    except OverflowError:  # a whole number of hundreds of digits
        number = None
    if number is None or isnan(number):
        raise _wrong(path, "a number", value)
    return number


def _wrong(path: str, expected: str, value: Any) -> PlainError:
    return PlainError(f"{path or 'the value'}: expected {expected}, not {_shortly(value)}")


#: Of a wrong value so much is shown.
_SHOWN = 40


def _shortly(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    try:
        text = repr(value)
    except ValueError:  # Python does not write out whole numbers of thousands of digits
        return "such a number"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


# What kinds are made of


@cache
def _defaults(kind: Any) -> frozenset[str]:
    """Fields that need not be given."""
    if not is_dataclass(kind):
        return frozenset(kind._field_defaults)
    given = ((row.name, row.default, row.default_factory) for row in fields(kind))
    return frozenset(name for name, *defaults in given if defaults != [MISSING, MISSING])
