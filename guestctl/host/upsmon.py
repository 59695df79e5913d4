"""upsmon.conf(5) of NUT, read without its passwords; and which upsmon it is."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ..model.host_power import Monitor, Upsmon
from .programs import NotRun, output_of

#: Debian's, and that of Fedora and its like.
FILES = (Path("/etc/nut/upsmon.conf"), Path("/etc/ups/upsmon.conf"))
#: Words for a primary; the newer one first (NUT 2.8.0).
_PRIMARY = ("primary", "master")
_OFF = re.compile(r"""^\s*MODE\s*=\s*["']?none\b""", re.MULTILINE)
_VERSION = re.compile(r"\b(\d+)\.(\d+)(?:\.(\d+))?")
#: For upsmon to say its version, and for systemctl.
LIMIT = 5.0
#: Of the examples: a second upsmon, which stays connected and shuts nothing down.
STAY = "nut-stay.service"
_MOST_BYTES = 2**20


def find(files: Iterable[Path] = FILES) -> Path | None:
    """The file of a NUT that is in use.  OSError where that cannot be read."""
    return next((file for file in files if file.exists() and not _is_off(file.parent)), None)


def _is_off(folder: Path) -> bool:
    """MODE=none, as Debian ships it: upsmon is not started."""
    with contextlib.suppress(FileNotFoundError):
        return bool(_OFF.search((folder / "nut.conf").read_text(errors="replace")))
    return False


def read(file: Path) -> Upsmon:
    """What it says.  OSError where it cannot be read: it has passwords, and not all may."""
    with file.open("rb") as opened:
        return parse(opened.read(_MOST_BYTES).decode(errors="replace"), str(file))


def parse(text: str, file: str) -> Upsmon:
    """A word that nobody knows is passed over, as upsmon does."""
    found = Upsmon(file)
    for words in _lines(text):
        found = _with(found, *words)
    return found


def _lines(text: str) -> Iterator[list[str]]:
    """Words of each line; quotes, backslashes and comments are much as the shell has them."""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # a quote that is not closed
            if words := shlex.split(line, comments=True):
                yield words


def _with(found: Upsmon, key: str, *values: str) -> Upsmon:
    # MONITOR ups powervalue user password type
    if key == "MONITOR" and len(values) >= 5:
        monitor = Monitor(values[0], values[4].lower() in _PRIMARY)
        return replace(found, monitors=(*found.monitors, monitor))
    if key == "SHUTDOWNCMD" and values:
        return replace(found, shutdown_command=values[0])
    if key == "SHUTDOWNEXIT" and values:
        return replace(found, stays=_stays(values[0]))
    if key == "MINSUPPLIES" and values and _is_number(values[0]):
        return replace(found, minimum=int(values[0]))
    return found


def _stays(word: str) -> bool:
    """Of SHUTDOWNEXIT: "no", or seconds; less than none is for ever."""
    word = word.lower()
    return word in ("no", "off", "false") or (_is_number(word) and int(word) != 0)


def _is_number(word: str) -> bool:
    return word.isascii() and word.removeprefix("-").isdecimal()


async def beside(file: Path) -> tuple[str, ...]:
    """The UPSes that STAY, where it runs, stays connected for; `file` is the first upsmon's."""
    try:
        await output_of("systemctl", "is-active", STAY, limit=LIMIT)
        second = read(file.parent / "stay" / file.name)
    except (NotRun, OSError):
        return ()
    return () if second.minimum else tuple(monitor.ups for monitor in second.monitors)


async def version() -> tuple[int, ...]:
    """Of the upsmon of this host; () where it does not say."""
    try:
        text = await output_of("/usr/sbin/upsmon", "-V", limit=LIMIT)
    except NotRun:
        return ()
    return version_of(text)


def version_of(text: str) -> tuple[int, ...]:
    """What stands in what it prints."""
    found = _VERSION.search(text)
    return tuple(int(part) for part in found.groups() if part) if found else ()
