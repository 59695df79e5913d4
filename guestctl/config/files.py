"""Which files a host's configuration is in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

MAIN_FILE = Path("/etc/guestctl/guestctl.toml")
DROP_INS = Path("/etc/guestctl/conf.d")


def host_files() -> list[Path]:
    """The host's files, in the order in which they are read; any may be gone by then.

    Raises OSError when the folder of drop-ins cannot be read.
    """
    try:
        names = sorted(os.listdir(DROP_INS))
    except (FileNotFoundError, NotADirectoryError):
        names = []
    # Hidden files are what editors and dpkg leave behind.
    drop_ins = [name for name in names if name.endswith(".toml") and not name.startswith(".")]
    return [MAIN_FILE, *(DROP_INS / name for name in drop_ins)]


def folders(file: Path | None = None) -> tuple[Path, ...]:
    """Where the host's files are, or that one file alone."""
    return (file.parent,) if file else (MAIN_FILE.parent, DROP_INS)


class Stamp(NamedTuple):
    """What tells one state of a file from another; without numbers where it cannot be looked at."""

    path: str
    numbers: tuple[int, ...] = ()


def stamps(file: Path | None = None) -> tuple[Stamp, ...]:
    """Of the host's files, or of one file alone: other ones once something was written."""
    try:
        return tuple(map(stamp, [file] if file else host_files()))
    except OSError as error:
        return (Stamp(f"{DROP_INS}: {error.strerror}"),)


def stamp(path: Path) -> Stamp:
    """That of any file."""
    try:
        found = path.stat()
    except OSError:
        return Stamp(str(path))
    numbers = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return Stamp(str(path), numbers)
