"""`facts.toml` of a scenario: guests as observed, and how they behave, to GuestSpecs.

What `guestctl facts` records is one, too: the rest of such a file is passed over, since a story
begins with an empty ledger and has a configuration of its own.

Keys are the fields of observed.py and behaviour.py with "-" for "_"; durations are written as
in guestctl's own configuration, as sizes are.  "never" is a time that does not come, "unknown"
what could not be read.
"""

from __future__ import annotations

import tomllib
import types
import typing
from dataclasses import fields, is_dataclass
from enum import StrEnum
from math import inf
from typing import Any, TypeVar

from guestctl.model.units import parse_duration, parse_size

from .behaviour import IGNORED_BUTTON, Behaviour, Button, GuestSpec

T = TypeVar("T")


class FactsError(ValueError):
    """Something in facts.toml is not understood."""


def parse_facts(text: str) -> tuple[list[GuestSpec], dict[str, int]]:
    """The guests, in their order, and the room for saves by URI, from a table named room."""
    tables = tomllib.loads(text)
    room = {uri: _value(int, size) for uri, size in tables.get("room", {}).items()}
    return [_guest(table) for table in tables.get("guest", [])], room


def _guest(table: dict[str, Any]) -> GuestSpec:
    """A [[guest]]: its behaviour is written beside what is observed of it."""
    behaviour_keys = {row.name.replace("_", "-") for row in fields(Behaviour)}
    behaviour = {key: value for key, value in table.items() if key in behaviour_keys}
    guest = {key: value for key, value in table.items() if key not in behaviour_keys}
    return _make(GuestSpec, guest | {"behaviour": behaviour})


def _make(cls: type[T], table: dict[str, Any]) -> T:
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in hints:
            raise FactsError(f"cannot read facts: a {cls.__name__} has no {key}")
        values[name] = _value(hints[name], value)
    return cls(**values)


def _value(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(kind for kind in hint.__args__ if kind is not type(None))
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        return None if value == "unknown" else tuple(_value(kind, part) for part in value)
    if hint is Button and value == "ignored":
        return IGNORED_BUTTON
    if isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields")):
        return _make(hint, value)
    if hint is float:
        return inf if value == "never" else parse_duration(value)
    if hint is int and isinstance(value, str):
        return parse_size(value)
    if issubclass(hint, StrEnum):
        return hint(value)
    if not isinstance(value, hint):
        raise FactsError(f"{value!r} is no {hint.__name__}")
    return value
