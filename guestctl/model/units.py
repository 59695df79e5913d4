"""Durations and sizes as text."""

from __future__ import annotations

import math
import re

#: systemd's word for a duration without an end.
INFINITY = "infinity"
#: In milliseconds: whole numbers add up exactly.
_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


#: All spellings of systemd.time(7), and how long a month and a year are there.
_MILLISECONDS = {
    **dict.fromkeys(("usec", "us", "μs", "µs"), 0.001),
    **dict.fromkeys(("msec", "ms"), _UNITS["ms"]),
    **dict.fromkeys(("seconds", "second", "sec", "s", ""), _UNITS["s"]),
    **dict.fromkeys(("minutes", "minute", "min", "m"), _UNITS["min"]),
    **dict.fromkeys(("hours", "hour", "hr", "h"), _UNITS["h"]),
    **dict.fromkeys(("days", "day", "d"), _UNITS["d"]),
    **dict.fromkeys(("weeks", "week", "w"), 7 * _UNITS["d"]),
    **dict.fromkeys(("months", "month", "M"), 365.25 / 12 * _UNITS["d"]),
    **dict.fromkeys(("years", "year", "y"), 365.25 * _UNITS["d"]),
}


#: A number, and its unit; two numbers are parted by a unit or by space.
_DURATION_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)(?:\s*([a-zA-Zμµ]+)|\s|\Z)\s*")


#: Beyond this a duration is a slip of the pen, and sums of durations would lose precision.
MAX_DURATION = 366 * 86400.0


class BadValue(ValueError):
    """A value that does not fit; the text says what was found wrong, if more than its kind."""


def parse_duration(text: str) -> float:
    """Seconds of a duration such as "90s", "10min", "1h 30min" or "180", to the millisecond.

    As systemd.time(7) has it: its units, and seconds where there is none.  Raises BadValue for
    anything else, and for one without an end.
    """
    parts, at = [], 0
    while found := _DURATION_PART.match(text, at):
        parts.append((found[1], found[2] or ""))
        at = found.end()
    if not parts or at < len(text) or not all(unit in _MILLISECONDS for _, unit in parts):
        raise BadValue("it must have an end" if text.strip() == INFINITY else "")
    return bounded(sum(float(n) * _MILLISECONDS[unit] for n, unit in parts) / 1000)


def bounded(seconds: float) -> float:
    """The seconds of a duration, to the millisecond.  Raises BadValue beyond a year, or below 0."""
    if not seconds >= 0:
        raise BadValue("less than nothing")
    if seconds > MAX_DURATION:
        raise BadValue("longer than a year")
    return round(float(seconds), 3)


#: Up to so many of one unit read better than two units: "90s", but "2min 5s".
_MOST_OF_ONE_UNIT = 120


def show_duration(seconds: float) -> str:
    """The duration in the form that parse_duration reads, to the millisecond; INFINITY for one
    without an end."""
    if seconds == math.inf:
        return INFINITY
    whole = round(seconds * 1000)
    for unit, size in reversed(_UNITS.items()):
        count, rest = divmod(whole, size)
        if rest == 0 and 0 < count <= _MOST_OF_ONE_UNIT:
            return f"{count}{unit}"
    return _in_several_units(whole)


def show_limit(seconds: float) -> str:
    """A limit that was computed: whole seconds from ten on, tenths below; exact below one."""
    return show_duration(round(seconds, 0 if seconds >= 10 else 1) if seconds >= 1 else seconds)


def _in_several_units(milliseconds: int) -> str:
    rest, parts = milliseconds, []
    for unit, size in reversed(_UNITS.items()):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def show_seconds(seconds: float) -> str:
    """How long something took, or takes still: "4.2s", "75s", "12min 5s", "3h 2min"."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 2 * 60:
        return f"{whole}s"
    size, unit, small, below = (60, "min", 1, "s") if whole < 3600 else (3600, "h", 60, "min")
    count, rest = whole // size, whole % size // small
    return f"{count}{unit} {rest}{below}" if rest else f"{count}{unit}"


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
