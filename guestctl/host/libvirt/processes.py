"""libvirt's daemons: which there are, and what those that run leave in /run and /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/")


class Process(NamedTuple):
    """A daemon that may run: its unit, its program, its own configuration."""

    unit: str
    program: str
    conf: str
    pid_file: str


def _named(name: str) -> Process:
    """All that is a daemon's own is called after its program."""
    return Process(
        f"{name}.service",
        f"usr/sbin/{name}",
        f"etc/libvirt/{name}.conf",
        f"run/{name}.pid",
    )


#: That serve a driver's system connection: one for all drivers, or one for each.
QEMU = (_named("libvirtd"), _named("virtqemud"))
LXC = (_named("libvirtd"), _named("virtlxcd"))


def running(root: Path = ROOT) -> Iterator[Process]:
    """Those of QEMU's guests that seem to run, by the file that each removes as it ends."""
    return (daemon for daemon in QEMU if (root / daemon.pid_file).exists())


def began(daemon: Process, root: Path = ROOT) -> float | None:
    """When it began, in seconds since the epoch by the clock of now; None where it does not run, or
    may not be seen."""
    try:
        process = int((root / daemon.pid_file).read_text())
        fields = (root / f"proc/{process}/stat").read_text().rpartition(")")[2].split()
        lines = (root / "proc/stat").read_text().splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    except (OSError, ValueError, StopIteration):
        return None
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")  # proc(5): starttime


def newer(daemon: Process, began: float, root: Path = ROOT) -> tuple[str, ...]:
    """Its program and its own configuration, as far as they have changed since."""
    files = (daemon.program, daemon.conf)
    return tuple(f"/{file}" for file in files if _changed(root / file) > began)


def _changed(file: Path) -> float:
    """ctime: a package keeps the time that a file was written at.  0.0 where there is none."""
    try:
        return file.stat().st_ctime
    except OSError:
        return 0.0
