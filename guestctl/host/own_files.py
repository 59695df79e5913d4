"""Files of guestctl's own, where others may have put something in their way."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

#: A link in the place of the file is refused, and no program that is started inherits it.
_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITABLE_BY_OTHERS = 0o022


def take_folder(folder: Path) -> None:
    """Have nobody else put files into a folder from now on; OSError where it is not ours.

    It is put right rather than refused: a service that does not start preserves no guest.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _SAFELY)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            who = f"user {found.st_uid}"
            raise PermissionError(errno.EPERM, f"it belongs to {who}, remove it", str(folder))
        if found.st_mode & _WRITABLE_BY_OTHERS:
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & ~_WRITABLE_BY_OTHERS)
    finally:
        os.close(descriptor)


def open_for_us(path: Path) -> int:
    """The descriptor of a file, made if there is none, that only its owner may open; OSError.

    The folder is one that `take_folder` has seen: a link is from before, and is removed.
    """
    if path.is_symlink():
        path.unlink()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def replace(path: Path, text: str, mode: int = 0o600, *, synced: bool = False) -> None:
    """Have the file hold the text, all of it or what was there before; OSError.

    A link in its place is replaced, and not followed.  synced: also where the power goes, and on
    disk as this returns.
    """
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        if synced:
            file.flush()
            os.fsync(descriptor)
    new.rename(path)
    if synced:
        sync(path.parent)


def sync(folder: Path) -> None:
    """Have on disk which files are in it; OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
