"""What was probably meant where a text is not TOML: quotes are what people forget."""

from __future__ import annotations

import re

from ..model.units import BadValue, parse_duration
from .toml import quoted

#: A key, and what stands where its value should.
_PAIR = re.compile(r"\s*[^\s=#\"']+\s*=\s*(?P<value>[^\"'#]*?)\s*(?:#.*)?$")
_YES, _NO = ("yes", "on", "true"), ("no", "off", "false")


def hint(text: str, line: int | None) -> str:
    """How the value on this line of a text that is not TOML is written; "" where none is known."""
    lines = text.split("\n")
    found = _PAIR.match(lines[line - 1]) if line and line <= len(lines) else None
    return _of_value(found["value"]) if found else ""


def _of_value(value: str) -> str:
    if value.lower() in _YES + _NO:
        return "write true" if value.lower() in _YES else "write false"
    if _is_duration(value):
        return f"durations stand in quotes: {quoted(value)}"
    if re.fullmatch(r"\d+\s*[KMGT]i?B?", value, re.IGNORECASE):
        return f"sizes stand in quotes: {quoted(value)}"
    if re.match(r"\[\s*[a-zA-Z]", value):
        return 'text stands in quotes, in lists as well: ["one", "two"]'
    return f"text stands in quotes: {quoted(value)}" if value and value[0] not in "[{" else ""


def _is_duration(value: str) -> bool:
    try:
        parse_duration(value)
    except BadValue:
        return False
    return True
