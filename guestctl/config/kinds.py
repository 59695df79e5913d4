"""Kinds of settings: how a TOML value is read, what is expected of it, how it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from ..model.uris import canonical, why_remote

T = TypeVar("T")

#: In milliseconds: whole numbers add up exactly.
_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"\s*(?:\d+(?:\.\d+)?\s*(?:ms|s|min|h|d)\s*)+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
#: Beyond this a duration is a slip of the pen, and sums of durations would lose precision.
MAX_DURATION = 366 * 86400.0


class BadValue(ValueError):
    """A value that does not fit; the text says what was found wrong, if more than its kind."""


def parse_duration(text: str) -> float:
    """Seconds of a duration such as "90s", "10min" or "1h 30min".

    Raises BadValue for anything else. Units as in systemd.time(7), fewer of them.
    """
    if not _DURATION.fullmatch(text):
        raise BadValue("")
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _DURATION_PART.findall(text)) / 1000
    if seconds > MAX_DURATION:
        raise BadValue("longer than a year")
    return seconds


#: Up to so many of one unit read better than two units: "90s", but "2min 5s".
_MOST_OF_ONE_UNIT = 120


def show_duration(seconds: float) -> str:
    """The duration in the form that parse_duration reads, to the millisecond."""
    whole = round(seconds * 1000)
    for unit, size in reversed(_UNITS.items()):
        count, rest = divmod(whole, size)
        if rest == 0 and 0 < count <= _MOST_OF_ONE_UNIT:
            return f"{count}{unit}"
    return _in_several_units(whole)


def _in_several_units(milliseconds: int) -> str:
    rest, parts = milliseconds, []
    for unit, size in reversed(_UNITS.items()):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


@dataclass(frozen=True)
class Kind(Generic[T]):
    """One kind of setting.

    expected completes the sentence "expected …"; parse raises BadValue; show writes TOML.
    """

    expected: str
    parse: Callable[[object], T]
    show: Callable[[T], str]


def duration(least: float = 0.0) -> Kind[float]:
    """A duration of at least so many seconds."""

    def parse(value: object) -> float:
        if not isinstance(value, str):
            raise BadValue('a number has no unit: write "90s"' if _is_number(value) else "")
        seconds = parse_duration(value)
        if seconds < least:
            raise BadValue(f"less than {show_duration(least)}")
        return seconds

    return Kind('a duration such as "90s" or "10min"', parse, lambda s: _quote(show_duration(s)))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_SIZES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(r"\s*(\d{1,9})\s*([KMGT]iB)\s*")


def parse_size(text: str) -> int:
    """Bytes of a size such as "512MiB".  Raises BadValue for anything else."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise BadValue("")
    return int(found[1]) * _SIZES[found[2]]


def show_size(size: int) -> str:
    """The size in the largest unit that leaves a whole number, else rounded to MiB."""
    for unit, factor in reversed(_SIZES.items()):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{round(size / _SIZES['MiB'])}MiB"


def size() -> Kind[int]:
    """An amount of storage."""

    def parse(value: object) -> int:
        if not isinstance(value, str):
            raise BadValue('a number has no unit: write "1GiB"' if _is_number(value) else "")
        return parse_size(value)

    return Kind('a size such as "512MiB" or "1GiB"', parse, lambda n: _quote(show_size(n)))


def boolean() -> Kind[bool]:
    """true or false."""

    def parse(value: object) -> bool:
        if not isinstance(value, bool):
            raise BadValue("")
        return value

    return Kind("true or false", parse, lambda b: "true" if b else "false")


def whole_number(least: int, most: int) -> Kind[int]:
    """A whole number in a range."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadValue("")
        return value

    return Kind(f"a whole number from {least} to {most}", parse, str)


E = TypeVar("E", bound=StrEnum)


def one_of(*choices: E) -> Kind[E]:
    """One word of a few."""

    def parse(value: object) -> E:
        for choice in choices:
            if value == choice.value:
                return choice
        raise BadValue("")

    return Kind("one of " + ", ".join(_quote(c) for c in choices), parse, _quote)


def several_of(words: type[E]) -> Kind[tuple[E, ...]]:
    """A list of words, in order of preference, each at most once, at least one."""
    choice = one_of(*words)

    def parse(value: object) -> tuple[E, ...]:
        if not isinstance(value, list) or not value:
            raise BadValue("")
        chosen = tuple(choice.parse(item) for item in value)
        if len(set(chosen)) < len(chosen):
            raise BadValue("the same word twice")
        return chosen

    allowed = ", ".join(_quote(w) for w in words)
    return Kind(f"a list of one or more of {allowed}", parse, _show_list)


def uri_list() -> Kind[tuple[str, ...]]:
    """libvirt connection URIs, at least one, none twice."""

    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise BadValue("")
        if not all(isinstance(item, str) and ":" in item for item in value):
            raise BadValue("")
        if len({canonical(item, root=True) for item in value}) < len(value):
            raise BadValue("the same connection twice")
        if remote := next(filter(None, map(why_remote, value)), None):
            raise BadValue(f"another host: {remote}")
        return tuple(value)

    return Kind('a list of local libvirt URIs such as ["qemu:///system"]', parse, _show_list)


def _show_list(items: tuple[str, ...]) -> str:
    return "[" + ", ".join(_quote(item) for item in items) + "]"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
