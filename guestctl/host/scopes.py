"""How the scopes of running guests are ordered, in which systemd keeps their processes.

libvirt has each scope made as the guest starts.  With its own auto-shutdown on, 11.6 and later has
it stopped after libvirt's daemon; else before it, and after virt-guest-shutdown.target.  A daemon
that reads another setting later leaves those of guests that run as they are.

The order of a scope is read anew from its file as systemd is reloaded; no call changes it, and a
drop-in can only add to it (tried on 262).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from ..model.host_auto_shutdown import GuestScope
from ..model.host_units import SHUTDOWN_TARGET
from . import other_files, unit_files
from .bus import SystemBus
from .daemons import QEMU_DAEMONS, guest_of_scope
from .listed_units import units_like
from .systemd import NAME, UNIT

TRANSIENT = Path("/run/systemd/transient")
_LINE = re.compile(
    rf"^(?:After|Before)=(?:{'|'.join(map(re.escape, (*QEMU_DAEMONS, SHUTDOWN_TARGET)))})\n",
    re.MULTILINE,
)


async def of_guests(address: str = "") -> tuple[GuestScope, ...]:
    """Of QEMU guests that run, by name.  BusError.

    address: of a bus, if not the system's.
    """
    bus = await SystemBus.connect(address)
    try:
        units = await units_like(bus, "machine-qemu*.scope", "active")
        found = [await _scope(bus, unit.name, unit.path) for unit in units]
    finally:
        bus.close()
    return tuple(sorted(found, key=lambda scope: scope.guest))


async def _scope(bus: SystemBus, unit: str, path: str) -> GuestScope:
    before = await bus.get_property(NAME, path, UNIT, "Before", "as")
    return GuestScope(unit, guest_of_scope(unit) or unit, bool(set(before) & set(QEMU_DAEMONS)))


def put_in_order(units: Iterable[str], *, outlive_daemon: bool, folder: Path = TRANSIENT) -> None:
    """Have these scopes stopped after libvirt's daemon, or else before it; guests run on.

    OSError, SystemctlFailed.  folder: where systemd keeps files of units that it was told of.
    """
    for unit in units:
        with contextlib.suppress(FileNotFoundError):  # its guest has ended
            _rewrite(folder / unit, outlive_daemon=outlive_daemon)
    unit_files.reload()


def _rewrite(file: Path, *, outlive_daemon: bool) -> None:
    text = file.read_text(encoding="utf-8")
    other_files.rewrite(file, _ordered(text, outlive_daemon=outlive_daemon).encode())


def _ordered(text: str, *, outlive_daemon: bool) -> str:
    word = "Before" if outlive_daemon else "After"
    lines = [f"{word}={daemon}" for daemon in QEMU_DAEMONS]
    if not outlive_daemon:
        lines.append(f"Before={SHUTDOWN_TARGET}")
    kept = _LINE.sub("", text).rstrip("\n")
    return "\n".join([kept, "", "[Unit]", *lines, ""])
