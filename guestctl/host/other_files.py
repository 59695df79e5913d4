"""Files of other programs, in which a few lines are changed: all else of them stays."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from . import own_files

_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def rewrite(path: Path, content: bytes) -> None:
    """Have the file hold the content, all of it or what was there before, and on disk as this
    returns; OSError.

    Owner, mode and labels stay.  Of a link that is what it leads to.
    """
    real = path.resolve(strict=True)
    new = real.with_name(f".{real.name}.guestctl")
    new.unlink(missing_ok=True)
    try:
        _write_like(real, new, content)
        new.rename(real)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    own_files.sync(real.parent)


def _write_like(model: Path, new: Path, content: bytes) -> None:
    was = model.stat()
    with open(os.open(new, _FRESH, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fchown(file.fileno(), was.st_uid, was.st_gid)
        os.fchmod(file.fileno(), was.st_mode & 0o7777)
        _copy_labels(model, file.fileno())
        os.fsync(file.fileno())


def _copy_labels(model: Path, descriptor: int) -> None:
    """SELinux's, access control lists; a file system without any says so."""
    with contextlib.suppress(OSError):
        for name in os.listxattr(model):
            os.setxattr(descriptor, name, os.getxattr(model, name))
