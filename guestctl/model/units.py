"""Durations and sizes as text."""

from __future__ import annotations

import re

#: In milliseconds: whole numbers add up exactly.
_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


_DURATION = re.compile(r"\s*(?:\d+(?:\.\d+)?\s*(?:ms|s|min|h|d)\s*)+")


_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")


#: Beyond this a duration is a slip of the pen, and sums of durations would lose precision.
MAX_DURATION = 366 * 86400.0


class BadValue(ValueError):
    """A value that does not fit; the text says what was found wrong, if more than its kind."""


def parse_duration(text: str) -> float:
    """Seconds of a duration such as "90s", "10min" or "1h 30min", to the millisecond.

    Raises BadValue for anything else. Units as in systemd.time(7), fewer of them.
    """
    if not _DURATION.fullmatch(text):
        raise BadValue("")
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _DURATION_PART.findall(text)) / 1000
    if seconds > MAX_DURATION:
        raise BadValue("longer than a year")
    return round(seconds, 3)


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
