"""Writing TOML: values and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice


def quoted(text: str) -> str:
    """The text as a TOML string, with nothing in it that a terminal would obey."""
    return '"' + _visible(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def written(value: object) -> str:
    """A value of text, numbers, lists and tables with bare keys, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            pairs = ", ".join(f"{key} = {written(part)}" for key, part in value.items())
            return f"{{ {pairs} }}"
        case _:
            return repr(value)


#: As much of a value as an error shows.
_SHORT, _DEEP, _MANY = 60, 3, 4


def shortly(value: object) -> str:
    """A value that tomllib read, as its writer would know it, cut to what a line of text takes."""
    text = _shortly(value, _DEEP)
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def _shortly(value: object, deep: int) -> str:
    match value:
        case str():
            return quoted(value if len(value) <= _SHORT else value[:_SHORT] + "...")
        case list():
            parts = (_shortly(part, deep - 1) for part in value)
            return f"[{_few(parts, deep)}]"
        case dict():
            pairs = (f"{_key(key)} = {_shortly(part, deep - 1)}" for key, part in value.items())
            return f"{{{_few(pairs, deep)}}}"
        case bool():
            return "true" if value else "false"
        case _:
            return _scalar(value)


def _few(parts: Iterator[str], deep: int) -> str:
    if deep <= 0:
        return "..."
    shown = list(islice(parts, _MANY + 1))
    return ", ".join(shown if len(shown) <= _MANY else [*shown[:_MANY], "..."])


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else quoted(key[:_SHORT])


def _scalar(value: object) -> str:
    """A number, or a date or time, which has more than one way to be written."""
    try:
        return str(value.isoformat() if hasattr(value, "isoformat") else value)
    except ValueError:  # a number of thousands of digits
        return "this"


def comment(text: str) -> str:
    """The text as a comment of one line: the name of a file may hold anything."""
    return f"# {_visible(text)}"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
