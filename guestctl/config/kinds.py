"""Kinds of settings: how a TOML value is read, what is expected of it, how it is shown."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from ..model.readiness import Rule, parse_rule
from ..model.units import (
    INFINITY,
    BadValue,
    bounded,
    parse_duration,
    parse_size,
    show_duration,
    show_size,
)
from ..model.uris import DEFAULT, canonical, why_remote
from .toml import quoted, shortly

T = TypeVar("T")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """One kind of setting.

    expected completes the sentence "expected …"; parse raises BadValue; show writes TOML.
    several: whether it is a list.  words: all that there are, where these are few.
    """

    expected: str
    parse: Callable[[object], T]
    show: Callable[[T], str]
    several: bool = False
    words: tuple[str, ...] = ()


def from_text(kind: Kind[T], text: str) -> object:
    """What parse takes, of a text without TOML's quotes and brackets: XML and shells have none.

    A list is words between white space.
    """
    return text.split() if kind.several else _literal(text.strip())


def _literal(text: str) -> object:
    """No kind takes a text that would be a number, true or false in TOML."""
    if text in ("true", "false"):
        return text == "true"
    # int() takes no more digits than 4300, and no setting has so many.
    if re.fullmatch(r"[0-9]{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[0-9]{1,18}\.[0-9]{1,18}", text) else text


def to_text(kind: Kind[T], value: T) -> str:
    """The other way round: a value of the kind as XML and shells have it.

    Of a name with white space that loses it: such a one is named by a pattern, or its UUID.
    """
    plain = tomllib.loads(f"value = {kind.show(value)}")["value"]
    if isinstance(plain, list):
        return " ".join("".join(word.split()) for word in plain)
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


def unfit(kind: Kind[Any], value: object, error: BadValue) -> str:
    """What to say of a value that is not of the kind; error: of its parse."""
    detail = f" ({error})" if str(error) else ""
    return f"expected {kind.expected}, not {shortly(value)}{detail}"


def duration(least: float = 0.0, most: float = math.inf) -> Kind[float]:
    """A duration of at least, and at most, so many seconds."""

    def parse(value: object) -> float:
        seconds = _seconds(value)
        if seconds < least:
            raise BadValue(f"less than {show_duration(least)}")
        if seconds > most:
            raise BadValue(f"more than {show_duration(most)}")
        return seconds

    return Kind('a duration such as "90s" or "10min"', parse, lambda s: quoted(show_duration(s)))


def duration_or_infinity(least: float = 0.0) -> Kind[float]:
    """A duration of at least so many seconds, or one without an end."""
    limited = duration(least)

    def parse(value: object) -> float:
        return math.inf if value == INFINITY else limited.parse(value)

    return Kind(f"{limited.expected}, or {quoted(INFINITY)}", parse, limited.show)


def _seconds(value: object) -> float:
    """Of text, or of a number of seconds."""
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bounded(value)
    raise BadValue("")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def size() -> Kind[int]:
    """An amount of storage."""

    def parse(value: object) -> int:
        if not isinstance(value, str):
            raise BadValue('a number has no unit: write "1GiB"' if _is_number(value) else "")
        return parse_size(value)

    return Kind('a size such as "512MiB" or "1GiB"', parse, lambda n: quoted(show_size(n)))


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


def whole_number_or_none(least: int, most: int) -> Kind[int | None]:
    """A whole number in a range, or none of them."""
    number = whole_number(least, most)

    def parse(value: object) -> int | None:
        return None if value == NONE else number.parse(value)

    def show(value: int | None) -> str:
        return quoted(NONE) if value is None else str(value)

    return Kind(f"{number.expected}, or {quoted(NONE)}", parse, show)


#: A setting that has no value.
NONE = "none"

E = TypeVar("E", bound=StrEnum)


def one_of(*choices: E) -> Kind[E]:
    """One word of a few."""

    def parse(value: object) -> E:
        for choice in choices:
            if value == choice.value:
                return choice
        raise BadValue("")

    expected = "one of " + ", ".join(quoted(c) for c in choices)
    return Kind(expected, parse, quoted, words=tuple(choices))


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

    allowed = ", ".join(quoted(w) for w in words)
    expected = f"a list of one or more of {allowed}"
    return Kind(expected, parse, _show_list, several=True, words=tuple(words))


def uri_list() -> Kind[tuple[str, ...]]:
    """libvirt connection URIs, or the word for the default one; at least one, none twice."""

    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise BadValue("")
        if not all(isinstance(item, str) and (":" in item or item == DEFAULT) for item in value):
            raise BadValue("")
        if len({canonical(item, root=True) for item in value}) < len(value):
            raise BadValue("the same connection twice")
        if remote := next(filter(None, map(why_remote, value)), None):
            raise BadValue(f"another host: {remote}")
        return tuple(value)

    expected = f'a list of local libvirt URIs such as ["qemu:///system"], or of {quoted(DEFAULT)}'
    return Kind(expected, parse, _show_list, several=True)


def guest_list() -> Kind[tuple[str, ...]]:
    """Guests by names, patterns or UUIDs; each at most once, and there may be none."""

    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadValue('a list, also of one: ["db"]' if isinstance(value, str) else "")
        if not all(value):
            raise BadValue("an empty name")
        if len(set(value)) < len(value):
            raise BadValue("the same word twice")
        return tuple(value)

    expected = 'a list of names, patterns or UUIDs such as ["db-*", "dns"]'
    return Kind(expected, parse, _show_list, several=True)


def rule_list() -> Kind[tuple[Rule, ...]]:
    """Rules of readiness; each at most once, and there may be none."""

    def parse(value: object) -> tuple[Rule, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadValue('a list, also of one: ["agent"]' if isinstance(value, str) else "")
        rules = tuple(map(parse_rule, value))
        if len(set(rules)) < len(rules):
            raise BadValue("the same rule twice")
        return rules

    expected = 'a list of "agent", "address", "tcp:PORT" and "delay:DURATION"'
    return Kind(expected, parse, _show_list, several=True)


def _show_list(items: tuple[object, ...]) -> str:
    return "[" + ", ".join(quoted(str(item)) for item in items) + "]"
