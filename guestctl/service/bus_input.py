"""What callers over the bus give, checked: names, texts and options.

Types are those of the tables by then; nothing else about a value is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..control.command_line import shortened
from ..control.interface import LONGEST_TEXT, LONGEST_WITHIN, OPTIONS
from ..host.bus_errors import CallError, Standard
from ..host.bus_values import Variant, unwrap
from ..model.options import SaveDecision
from ..model.plan import RunKind
from ..model.text import printable

#: How many names there may be.
MOST = 4096
#: Names where each is held against every guest of hundreds of runs.
FEW = 100


@dataclass(frozen=True)
class Options:
    """What the options of a call say; None for each that is not given."""

    reason: str | None = None
    command: str | None = None
    within: float | None = None
    profile: str | None = None
    all: bool | None = None
    decision: SaveDecision | None = None
    run: int | None = None
    order: int | None = None
    without_ledger: bool = False


def invalid(text: str) -> CallError:
    """The error of a call whose values are not to be understood."""
    return CallError(Standard.INVALID_ARGS, text)


def text(what: str, value: str) -> str:
    """A text of one line; CallError."""
    if len(value) > LONGEST_TEXT:
        raise invalid(f"{what}: has {len(value)} characters, {LONGEST_TEXT} at most")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        raise invalid(f"{what}: has a control character")
    return value


def name(what: str, value: str) -> str:
    """A name, which is not empty; CallError."""
    if not value:
        raise invalid(f"{what}: is empty")
    return text(what, value)


def names(values: Sequence[str], most: int = MOST) -> tuple[str, ...]:
    """Names of guests, each once; CallError."""
    if len(values) > most:
        raise invalid(f"guests: {len(values)} names, {most} at most")
    return tuple(dict.fromkeys(name("guests", value) for value in values))


def few_names(values: Sequence[str]) -> tuple[str, ...]:
    """The same, of not so many."""
    return names(values, FEW)


def named(values: Sequence[str]) -> tuple[str, ...]:
    """The same where there must be one; CallError."""
    if not values:
        raise invalid("guests: none is named")
    return names(values)


def kind(value: str) -> RunKind | None:
    """A kind of run; None for an empty one, CallError for any other."""
    if not value:
        return None
    if value not in list(RunKind):
        raise invalid(f"kind: one of {', '.join(RunKind)}, or empty")
    return RunKind(value)


def settings(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Keys with what they are to be; CallError."""
    if len(values) > MOST:
        raise invalid(f"set: {len(values)} keys, {MOST} at most")
    return [(name("set", key), text(f"set: {key[:40]}", to)) for key, to in values.items()]


def options(method: str, given: Mapping[str, Variant]) -> Options:
    """The options of a call of this method; CallError for what it has not, and a wrong value."""
    known = OPTIONS[method]
    for key, value in given.items():
        if key not in known:
            has = ", ".join(known)
            raise invalid(f'options: {method} has no "{key[:40]}"; it has {has}')
        if value.signature != known[key]:
            raise invalid(f"options: {key}: is of type {value.signature[:40]}, not {known[key]}")
    return Options(**{key: _option(key, unwrap(value)) for key, value in given.items()})


def _option(key: str, value: Any) -> Any:
    if key == "within":
        return _within(value)
    if key == "decision":
        return _decision(value)
    if key == "run" and not value:
        raise invalid("options: run: runs are counted from 1")
    if key == "command":
        return shortened(printable(value))
    return text(f"options: {key}", value) if isinstance(value, str) else value


def _within(value: float) -> float:
    if not (math.isfinite(value) and 0 < value <= LONGEST_WITHIN):
        raise invalid("options: within: more than 0, and at most 86400 s, a day")
    return value


def _decision(value: str) -> SaveDecision:
    if value not in list(SaveDecision):
        raise invalid(f"options: decision: one of {', '.join(SaveDecision)}")
    return SaveDecision(value)
