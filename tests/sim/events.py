"""`events.txt` of a scenario: what is commanded and what happens, line by line.

    0s    preserve
    12s     web is started
    +30s  start

A line is a time and a deed.  Deeds are commands, which are carried out one after another, or
happenings, which befall the host meanwhile.  A time with "+" counts, for a command, from the
end of the command above it; for a happening, from the beginning of the command above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from guestctl.values import parse_duration

from .behaviour import Image
from .guest import SimGuest
from .lock import Reply
from .world import SimHost


class EventsError(ValueError):
    """A line of events.txt is not understood."""


@dataclass(frozen=True)
class Line:
    """One line: seconds from 0 s, or from another moment when relative."""

    seconds: float
    relative: bool
    deed: str


@dataclass
class Turn:
    """A command and what happens from its beginning to the next command's."""

    command: Line | None
    happenings: list[Line] = field(default_factory=list)


COMMANDS = ("preserve", "host stops", "shutdown", "start", "boot", "hold", "release", "reboot")
_LINE = re.compile(r"(\+?)(\S+)\s+(.+)")


def parse_events(text: str) -> list[Turn]:
    """The turns of a scenario; the first has no command."""
    turns = [Turn(None)]
    for raw in text.splitlines():
        if line := raw.partition("#")[0].strip():
            parsed = _parse(line)
            if _is_command(parsed.deed):
                turns.append(Turn(parsed))
            else:
                turns[-1].happenings.append(parsed)
    return turns


def _parse(line: str) -> Line:
    match = _LINE.fullmatch(line)
    if not match:
        raise EventsError(f"expected a time and a deed: {line!r}")
    return Line(parse_duration(match[2]), bool(match[1]), match[3])


def _is_command(deed: str) -> bool:
    return any(deed == command or deed.startswith(f"{command} ") for command in COMMANDS)


_Happening = Callable[[SimGuest], object]

_GUEST: dict[str, _Happening] = {
    "is started": lambda guest: guest.start(Reply()),
    "powers itself off": SimGuest.shut_itself_down,
    "is saved": lambda guest: guest.save(Reply()),
    "is destroyed": lambda guest: guest.poweroff(Reply()),
    "is paused": SimGuest.pause,
    "is unpaused": lambda guest: guest.unpause(Reply()),
    "crashes": SimGuest.crash,
    "is undefined": SimGuest.undefine,
    "migrates away": SimGuest.migrate_away,
    "thaws": SimGuest.thaw,
    "has a broken image": lambda guest: setattr(guest, "image", Image.BROKEN),
}
_LOST = re.compile(r"(\S+) is lost(?: for (\S+))?")
_RENAMED = re.compile(r"(\S+) is renamed to (\S+)")


def happen(host: SimHost, deed: str) -> None:
    """Have it happen now; EventsError when there is no such happening."""
    if lost := _LOST.fullmatch(deed):
        seconds = parse_duration(lost[2]) if lost[2] else None
        host.daemon(lost[1]).lose_connections(seconds)
    elif renamed := _RENAMED.fullmatch(deed):
        _guest(host, renamed[1]).rename(renamed[2])
    else:
        name, _, what = deed.partition(" ")
        if what not in _GUEST:
            raise EventsError(f"cannot have this happen: {deed!r}")
        _GUEST[what](_guest(host, name))


def _guest(host: SimHost, name: str) -> SimGuest:
    for daemon in host.daemons.values():
        for guest in daemon.guests.values():
            if guest.name == name:
                return guest
    raise EventsError(f"there is no guest {name} now")
