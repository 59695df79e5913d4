"""`events.txt` of a scenario: why it is told, then what is commanded and what happens.

    # A guest that somebody starts in the midst of a run is taken to safety as well.
    0s    preserve --within 20s
    12s     web is started
    +30s  start

A line is a time and a deed.  Deeds are commands, which are carried out one after another, or
happenings, which befall the host meanwhile.  A time with "+" counts, for a command, from the
end of the command above it; for a happening, from the beginning of the command above it.

Commands are those of guestctl, as far as they are lists of words in COMMANDS, and "reboot",
"host stops" and "boot" for what the units do; "host stops by kexec" where it is known in which
way.  GUEST_HAPPENINGS and HOST_HAPPENINGS have what happens; what befalls guestctl's own process
is in scenario.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from guestctl.model.event import JobKind
from guestctl.model.options import SaveDecision
from guestctl.model.units import parse_duration, parse_size

from .behaviour import Image, OtherJob
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


COMMANDS = (
    *("preserve", "host stops", "shutdown", "start", "boot", "hold", "release", "reboot"),
    *("shed", "resume"),
)
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


def reason_of(text: str) -> str:
    """What the scenario is for: its first line, where that is a comment."""
    first = text.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _parse(line: str) -> Line:
    match = _LINE.fullmatch(line)
    if not match:
        raise EventsError(f"expected a time and a deed: {line!r}")
    return Line(parse_duration(match[2]), bool(match[1]), match[3])


@dataclass(frozen=True)
class Command:
    """A command, taken apart; without names it is for all guests.

    kind: in which way the host stops, in systemd's words; empty where that is not known.
    """

    deed: str
    verb: str
    names: tuple[str, ...] = ()
    within: float | None = None
    decision: SaveDecision | None = None
    profile: str | None = None
    order: int | None = None
    kind: str = ""


_HOST_STOPS = re.compile(r"(host stops)(?: by (\S+))?")
_DECISIONS = {
    "--resume-anyway": SaveDecision.RESUME_ANYWAY,
    "--discard-save": SaveDecision.DISCARD_SAVE,
}


def parse_command(deed: str) -> Command:
    """`start web --discard-save`, `preserve --within 20s` and such."""
    if match := _HOST_STOPS.fullmatch(deed):
        return Command(deed, match[1], kind=match[2] or "")
    verb, *words = deed.split()
    within, profile = _taken_out(words, "--within"), _taken_out(words, "--profile")
    order = _taken_out(words, "--order")
    decision = next((_DECISIONS[word] for word in words if word in _DECISIONS), None)
    names = tuple(word for word in words if not word.startswith("--"))
    seconds = None if within is None else parse_duration(within)
    number = None if order is None else int(order)
    return Command(deed, verb, names, seconds, decision, profile, number)


def _taken_out(words: list[str], option: str) -> str | None:
    """The value of the option, which are words no more; None without it."""
    if option not in words:
        return None
    at = words.index(option)
    _, value = words[at : at + 2]
    del words[at : at + 2]
    return value


def _is_command(deed: str) -> bool:
    return any(deed == command or deed.startswith(f"{command} ") for command in COMMANDS)


_Happening = Callable[[SimHost, SimGuest], object]


def _break_image(_host: SimHost, guest: SimGuest) -> None:
    if guest.image is not Image.NONE:
        guest.images.kind = Image.BROKEN


GUEST_HAPPENINGS: dict[str, _Happening] = {
    "is flagged": lambda _, guest: setattr(guest, "autostart", True),
    "is not flagged": lambda _, guest: setattr(guest, "autostart", False),
    "is flagged once": lambda _, guest: setattr(guest, "autostart_once", True),
    "is started": lambda _, guest: guest.start(Reply()),
    "powers itself off": lambda _, guest: guest.shut_itself_down(),
    "is saved": lambda _, guest: guest.save(Reply()),
    "is asked to shut down": lambda _, guest: guest.press(),
    "is asked through its agent": lambda _, guest: guest.ask_agent(),
    "is reset": lambda _, guest: guest.reset(),
    "gets SIGTERM": lambda _, guest: guest.end_process(kill=False),
    "gets SIGKILL": lambda _, guest: guest.end_process(kill=True),
    "hibernates": lambda _, guest: guest.hibernate(),
    "is reverted": lambda _, guest: guest.revert(),
    "is destroyed": lambda _, guest: guest.poweroff(Reply()),
    "has its disk copied": lambda _, guest: guest.begin_block_job(OtherJob(JobKind.COPY)),
    "is paused": lambda _, guest: guest.pause(),
    "is unpaused": lambda _, guest: guest.unpause(Reply()),
    "crashes": lambda _, guest: guest.crash(),
    "is undefined": lambda _, guest: guest.undefine(),
    "migrates away": lambda _, guest: guest.migrate_away(),
    "freezes": lambda _, guest: guest.freeze(),
    "thaws": lambda _, guest: guest.thaw(),
    "has a broken image": _break_image,
    "has its image put back": lambda _, guest: guest.images.put_back(),
    "has its disk changed": lambda host, guest: host.files.write(guest.disk),
    "has its disk replaced": lambda host, guest: host.files.replace(guest.disk),
    "has no disk": lambda host, guest: host.files.set_there(guest.disk, False),
    "has its disk again": lambda host, guest: host.files.set_there(guest.disk, True),
}


def _jump(host: SimHost, how_far: str) -> None:
    back = how_far.startswith("-")
    seconds = parse_duration(how_far.lstrip("-"))
    host.clock_jump += -seconds if back else seconds


def _lose(host: SimHost, uri: str, seconds: str | None) -> None:
    host.daemon(uri).lose_connections(parse_duration(seconds) if seconds else None)


HOST_HAPPENINGS: dict[str, Callable[..., object]] = {
    r"(\S+) is lost(?: for (\S+))?": _lose,
    r"(\S+) is killed for (\S+)": lambda host, uri, t: host.daemon(uri).die(parse_duration(t)),
    r"(\S+) is defined": lambda host, name: host.define(name),
    r"(\S+) is renamed to (\S+)": lambda host, old, new: _rename(host, old, new),
    r"the room of (\S+) is (\S+)": lambda host, uri, room: host.files.room.update(
        {uri: parse_size(room)}
    ),
    r"the clock jumps by (\S+)": _jump,
    r"the ledger's disk is full": lambda host: setattr(host, "ledger_is_full", True),
    r"the ledger's disk has room again": lambda host: setattr(host, "ledger_is_full", False),
    r"the saves are not mounted": lambda host: setattr(host.files, "saves_mounted", False),
    r"the saves are mounted": lambda host: setattr(host.files, "saves_mounted", True),
    r"files do not answer": lambda host: setattr(host.files, "silent", True),
    r"files answer again": lambda host: setattr(host.files, "silent", False),
}


def happen(host: SimHost, deed: str) -> None:
    """Have it happen now; EventsError when there is no such happening."""
    host.happenings += 1
    for pattern, what in HOST_HAPPENINGS.items():
        if match := re.fullmatch(pattern, deed):
            what(host, *match.groups())
            return
    name, _, words = deed.partition(" ")
    if words not in GUEST_HAPPENINGS:
        raise EventsError(f"cannot have this happen: {deed!r}")
    if guest := _find(host, name):
        GUEST_HAPPENINGS[words](host, guest)


def _rename(host: SimHost, old: str, new: str) -> None:
    if guest := _find(host, old):
        guest.rename(new)
        host.names.add(new)


def _find(host: SimHost, name: str) -> SimGuest | None:
    """The guest, if it is still there; EventsError if there never was one with this name."""
    if name not in host.names:
        raise EventsError(f"there is no guest {name}")
    return next((guest for guest in host.guests() if guest.name == name), None)
