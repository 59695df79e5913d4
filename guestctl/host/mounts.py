"""Mounts that must outlive our stop: of saves, of guests' disks, of the ledger.

systemd stops our units before a mount only where something says so.  local-fs.target and
remote-fs.target do for most, but not for one with nofail, for an automount, or for one that
somebody made by hand: those are unmounted at once as the host stops, while guests are still being
saved.  So a transient unit stands between them and ours, for as long as this boot lasts.  It is for
the order alone: it requires nothing, and it starts and stops nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from ..model.host_units import GUARD, SERVICE
from . import tasks
from .bus import BusError, SystemBus
from .bus_values import Variant
from .listed_units import ListedUnit, units_like, units_named
from .storage import save_folder
from .systemd import MANAGER, NAME, PATH, UNIT

#: They take guests to safety as the host stops.
_SAVERS = (SERVICE, GUARD)
KEEPER = "guestctl-mounts-{}.service"
MOUNTINFO = Path("/proc/self/mountinfo")
Identity = list[int]
#: Units asked for at once: with two for each of a thousand disks an answer is longer than is read.
_AT_ONCE = 500
_RECORD = "save-folders.json"
#: What systemd.unit(5) leaves as it is in names of units.
_PLAIN = re.compile(r"[A-Za-z0-9:_.]")


class SystemdMounts:
    """The Mounts of model.ports."""

    def __init__(self, run_folder: Path, address: str = "") -> None:
        """run_folder: for what holds in this boot; address: of a bus, if not the system's."""
        self._record = run_folder / _RECORD
        self._address = address
        self._kept: frozenset[str] | None = None
        self._touches = tasks.OneAtATime()

    async def keep(self, uris: Iterable[str], paths: Iterable[str]) -> None:
        folders = {uri: folder for uri in uris if (folder := save_folder(uri))}
        # A folder that hangs costs one thread, however often this is done.
        await self._touches.do("folders", lambda: _remember(self._record, folders))
        wanted = unit_names([*paths, *map(str, folders.values())])
        try:
            bus = await SystemBus.connect(self._address)
        except BusError:
            return
        try:
            await self._keep(bus, wanted)
        except BusError:
            self._kept = None
        finally:
            bus.close()

    async def _keep(self, bus: SystemBus, wanted: Iterable[str]) -> None:
        mounts = await _there(bus, wanted)
        if mounts == self._kept:
            return
        keeper = KEEPER.format(hashlib.sha256(" ".join(sorted(mounts)).encode()).hexdigest()[:12])
        others = await _keepers(bus) - {keeper}
        if mounts:
            await _start(bus, keeper, sorted(mounts))
        for other in others:
            await _call(bus, "StopUnit", "ss", (other, "fail"), "o")
        self._kept = mounts

    async def displaced(self, uris: Iterable[str]) -> frozenset[str]:
        folders = {uri: folder for uri in uris if (folder := save_folder(uri))}
        return await tasks.start(lambda: _displaced(self._record, folders))


# Folders of saves


def _remember(record: Path, folders: dict[str, Path]) -> None:
    """Which each of them is now; not worth failing for."""
    for folder in folders.values():
        _touch(folder)
    found = {uri: _identity(folder) for uri, folder in folders.items()}
    new = record.with_name(f"{record.name}.new")
    with contextlib.suppress(OSError):
        new.write_text(json.dumps(found))
        new.rename(record)


def _touch(folder: Path) -> None:
    """An automount is mounted, and stays so: stat(2) does not do that.

    Never as the host stops: a mount that is started then can cancel that.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _displaced(record: Path, folders: dict[str, Path]) -> frozenset[str]:
    try:
        before = json.loads(record.read_text())
        return frozenset(
            uri
            for uri, folder in folders.items()
            if before.get(uri) and _lost_a_mount(before[uri], _identity(folder))
        )
    except (OSError, ValueError, AttributeError):
        return frozenset()


def _lost_a_mount(then: Identity, now: Identity | None) -> bool:
    """Another folder, and fewer mounts above it: one that was mounted since is no loss."""
    return now is None or (now[:2] != then[:2] and now[2] < then[2])


def _identity(folder: Path) -> Identity | None:
    """Device, inode, and how many mounts there are from the root to it; None where it is not."""
    try:
        found = folder.stat()
        lines = MOUNTINFO.read_text(errors="replace").splitlines()
    except OSError:
        return None
    above = {str(folder), *map(str, folder.parents)}
    return [found.st_dev, found.st_ino, sum(mount_point(line) in above for line in lines)]


def mount_point(line: str) -> str:
    """Of a line of mountinfo: the fifth field."""
    return unescaped(line.split()[4])


def unescaped(path: str) -> str:
    """A path as mountinfo has it: proc(5), odd characters as \\ooo."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), path)


# Units


def unit_names(paths: Iterable[str]) -> frozenset[str]:
    """The mounts that may hold these files, by the names that systemd has for them."""
    folders = {
        str(folder)
        for path in paths
        if path.startswith("/")
        for folder in (PurePosixPath(path), *PurePosixPath(path).parents)
    }
    names = map(_escaped, folders)
    return frozenset(f"{name}.{kind}" for name in names for kind in ("mount", "automount"))


def _escaped(path: str) -> str:
    """systemd.unit(5), for paths."""
    parts = [_escaped_part(part) for part in path.split("/") if part]
    name = "-".join(parts) or "-"
    return f"\\x2e{name[1:]}" if name.startswith(".") else name


def _escaped_part(part: str) -> str:
    plain = (c if _PLAIN.fullmatch(c) else _codes(c) for c in part)
    return "".join(plain)


def _codes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


async def _there(bus: SystemBus, names: Iterable[str]) -> frozenset[str]:
    """Those that are mounted, and that are not themselves ordered after us."""
    units, ordered = list[ListedUnit](), sorted(names)
    for begin in range(0, len(ordered), _AT_ONCE):
        units += await units_named(bus, ordered[begin : begin + _AT_ONCE])
    found = set()
    for unit in units:
        if (unit.load, unit.active) != ("loaded", "active"):
            continue
        after = await bus.get_property(NAME, unit.path, UNIT, "After", "as")
        if not set(after) & set(_SAVERS):  # else the order would be a circle
            found.add(unit.name)
    return frozenset(found)


async def _keepers(bus: SystemBus) -> set[str]:
    return {unit.name for unit in await units_like(bus, KEEPER.format("*"))}


async def _start(bus: SystemBus, keeper: str, mounts: list[str]) -> None:
    properties = [
        ["Description", Variant("s", "Mounts that guests' saves, disks and guestctl need")],
        ["After", Variant("as", mounts)],
        ["Before", Variant("as", list(_SAVERS))],
        ["Type", Variant("s", "oneshot")],
        ["RemainAfterExit", Variant("b", True)],
        ["ExecStart", Variant("a(sasb)", [["/bin/true", ["/bin/true"], False]])],
    ]
    body: tuple[Any, ...] = (keeper, "fail", properties, [])
    try:
        await _call(bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", body, "o")
    except BusError as error:
        if error.name != "org.freedesktop.systemd1.UnitExists":  # by the service before us
            raise


async def _call(
    bus: SystemBus, member: str, signature: str, body: tuple[Any, ...], returns: str
) -> Any:
    (answer,) = await bus.call(NAME, PATH, MANAGER, member, signature, body, returns=returns)
    return answer
