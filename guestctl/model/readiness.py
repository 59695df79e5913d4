"""What shows that a guest is ready: rules as values, and as they are written in settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .near import nearest
from .units import BadValue, parse_duration, show_duration


@dataclass(frozen=True)
class AgentAnswers:
    """The guest agent answers a ping."""

    def __str__(self) -> str:
        return "agent"


@dataclass(frozen=True)
class HasAddress:
    """libvirt knows an address of the guest."""

    def __str__(self) -> str:
        return "address"


@dataclass(frozen=True)
class Accepts:
    """A connection to this TCP port, at an address of the guest, is accepted."""

    port: int

    def __str__(self) -> str:
        return f"tcp:{self.port}"


@dataclass(frozen=True)
class HasRun:
    """So many seconds have gone since it was started or resumed."""

    seconds: float

    def __str__(self) -> str:
        return f"delay:{show_duration(self.seconds).replace(' ', '')}"


Rule: TypeAlias = AgentAnswers | HasAddress | Accepts | HasRun

#: Seconds; those that come after the guest wait as long.
MOST_DELAY = 3600.0
MOST_PORTS = 65535
_PLAIN = {str(rule): rule for rule in (AgentAnswers(), HasAddress())}
_WORDS = (*_PLAIN, "tcp", "delay")


def parse_rule(text: str) -> Rule:
    """A rule as str() writes it.  Raises BadValue, with what is wrong of it."""
    word, colon, rest = text.partition(":")
    if word in _PLAIN:
        if colon:
            raise BadValue(f'"{word}" takes nothing after it')
        return _PLAIN[word]
    if word == "tcp":
        return Accepts(_port(rest))
    if word == "delay":
        return HasRun(_seconds(rest))
    raise BadValue(_unknown(text, word))


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= MOST_PORTS:
        return int(text)
    raise BadValue(f'"tcp:PORT" takes a number from 1 to {MOST_PORTS}, as in "tcp:5432"')


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text)
        if seconds > MOST_DELAY:
            raise BadValue(f"more than {show_duration(MOST_DELAY)}")
        return seconds
    except BadValue as error:
        more = f": {error}" if str(error) else ""
        raise BadValue(f'"delay:DURATION" takes a duration, as in "delay:20s"{more}') from None


def _unknown(text: str, word: str) -> str:
    near = nearest(word, list(_WORDS))
    return f'"{text[:40]}" is no rule' + (f'; did you mean "{near[0]}"?' if near else "")
