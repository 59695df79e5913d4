"""What the events of a run are as JSON, as tables, from the classes of guestctl.model.report."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from guestctl.model import report
from guestctl.model.guest import DomainInfo

EVENTS: tuple[Any, ...] = typing.get_args(report.RunEvent)
_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    # What guests' XML says is left out of events.
    DomainInfo: "object without meaning",
}


def tables() -> Iterator[str]:
    """The lines of the tables."""
    yield from ("", "## Events of a run", "")
    yield (
        "`event` has the event's name, `monotonic` when it was, in nanoseconds of CLOCK_MONOTONIC;"
        " beside them stand:"
    )
    yield from ("", "| event | keys | |", "|---|---|---|", *map(_row, EVENTS))
    yield from ("", "Objects in them:", "", "| object | keys | |", "|---|---|---|")
    yield from map(_row, within())
    yield from ("", "Words in them:", "", "| | words |", "|---|---|")
    yield from map(_words, sorted(_all(StrEnum), key=lambda kind: str(kind.__name__)))


def within() -> list[Any]:
    """The classes of what events have in them, in the order in which they come first."""
    return [
        kind
        for kind in _all(object)
        if _PLAIN.get(kind) is None and kind not in EVENTS and not issubclass(kind, StrEnum)
    ]


def _all(base: type) -> list[Any]:
    """Every class in an event that is of this one."""
    seen: list[Any] = []
    for event in EVENTS:
        _see(event, seen)
    return [kind for kind in seen if issubclass(kind, base)]


def _see(hint: Any, seen: list[Any]) -> None:
    inner = typing.get_args(hint)
    if not inner and isinstance(hint, type) and hint not in seen:
        seen.append(hint)
        inner = () if issubclass(hint, StrEnum) else tuple(_keys(hint).values())
    for one in inner:
        _see(one, seen)


def _keys(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind) if kind not in _PLAIN else {}


def _row(kind: Any) -> str:
    keys = ", ".join(f"`{name}` {_said(hint)}" for name, hint in _keys(kind).items())
    return f"| `{kind.__name__}` | {keys} | {_doc(kind)} |"


def _doc(kind: Any) -> str:
    """A docstring as one paragraph, in the words of JSON."""
    return re.sub(r"\bNone\b", "null", " ".join((kind.__doc__ or "").split()))


def _words(kind: Any) -> str:
    return f"| `{kind.__name__}` | {', '.join(f'`{word}`' for word in kind)} |"


def _said(hint: Any) -> str:
    """What JSON has for it."""
    inner = [one for one in typing.get_args(hint) if one is not Ellipsis]
    if isinstance(hint, types.UnionType):
        return " or ".join(map(_said, inner))
    origin = typing.get_origin(hint)
    if origin is dict:
        return f"object of {_said(inner[1])}"
    if origin is tuple and len(inner) > 1:
        return f"[{', '.join(map(_said, inner))}]"
    if origin is tuple:
        return f"list of {_said(inner[0])}"
    return _PLAIN.get(hint) or f"`{hint.__name__}`"
