"""Units as systemd has loaded them, with what overrides them.

Anybody may ask.  Nothing is started, and no unit is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..model.host_units import DropIn, UnitInFull
from .bus import SystemBus
from .listed_units import units_named
from .systemd import NAME, UNIT

_PROPERTIES = "org.freedesktop.DBus.Properties"
#: What systemd has for "no limit" (USEC_INFINITY).
_INFINITY = 2**64 - 1
_PACKAGES = "/usr/lib/systemd/system"
_ADMINISTRATORS = ("/etc/systemd/system/", "/run/systemd/system/")
#: Bytes of a drop-in that are read.
_LONGEST = 64 * 1024


async def units(bus: SystemBus, names: Iterable[str]) -> dict[str, UnitInFull]:
    """Units by name, those that there are not as well; BusError."""
    found = await units_named(bus, names)
    return {unit.name: await _unit(bus, unit.name, unit.path) for unit in found}


async def _unit(bus: SystemBus, name: str, path: str) -> UnitInFull:
    (said,) = await bus.call(NAME, path, _PROPERTIES, "GetAll", "s", (UNIT,), returns="a{sv}")
    return UnitInFull(
        name,
        _text(said, "LoadState"),
        _text(said, "ActiveState"),
        _text(said, "UnitFileState"),
        fragment := _text(said, "FragmentPath"),
        _replaced_by(fragment),
        tuple(drop_in(Path(it)) for it in said.get("DropInPaths", ())),
        outdated=bool(said.get("NeedDaemonReload")),
        requires=tuple(said.get("Requires", ())),
        after=tuple(said.get("After", ())),
        job_limit=job_limit(said.get("JobTimeoutUSec", _INFINITY)),
    )


def _text(said: Mapping[str, Any], name: str) -> str:
    return str(said.get(name, ""))


def job_limit(microseconds: int) -> float | None:
    """JobTimeoutSec=, in seconds; it counts from when the job is queued.

    JobRunningTimeoutSec= is no limit of a stop: a target of a way down waits for the service that
    ends the host, so that its job begins to run when all is over (tried with systemd 257).
    """
    return microseconds / 1e6 if 0 < microseconds < _INFINITY else None


def drop_in(path: Path) -> DropIn:
    """What it sets; without anything where it cannot be read."""
    try:
        with path.open(errors="replace") as file:
            text = file.read(_LONGEST)
    except OSError as error:
        return DropIn(str(path), trouble=str(error.strerror or error))
    return DropIn(str(path), tuple(settings(text)), replaces=_replaced_by(str(path)))


def _replaced_by(path: str) -> str:
    """What a package has under the same name."""
    for folder in _ADMINISTRATORS:
        if path.startswith(folder):
            packaged = Path(_PACKAGES, path.removeprefix(folder))
            return str(packaged) if packaged.is_file() else ""
    return ""


def settings(text: str) -> Iterator[str]:
    """Lines "Key=value" of a file of systemd's, those that go on in the next joined, without
    comments."""
    joined = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(("#", ";")):  # also between lines that go on (systemd.syntax(7))
            continue
        joined += stripped
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        if "=" in joined and not joined.startswith("["):
            yield joined
        joined = ""
