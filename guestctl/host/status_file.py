"""That there is one service, and what it says of itself, for `guestctl status`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

FOLDER = Path("/run/guestctl")
_LOCK, _STATUS = "daemon.lock", "status.json"
_ATTEMPTS, _PAUSE = 5, 0.1


class AnotherService(Exception):
    """There is one already."""


def run_folder(*, root: bool) -> Path:
    """Where what belongs to this boot is: the host's for root, else the user's."""
    if root:
        return FOLDER
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "guestctl"


def be_the_only_one(folder: Path) -> int:
    """Take the service's lock until the process ends.  Raises AnotherService, OSError."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Who only looks whether there is a service has it as well, for a moment.
            time.sleep(_PAUSE if attempt < _ATTEMPTS - 1 else 0)
        else:
            return descriptor
    os.close(descriptor)
    raise AnotherService


def be_alive(folder: Path) -> None:
    """Leave a trace of when there was a service."""
    with contextlib.suppress(OSError):
        os.utime(folder / _LOCK)


def away(folder: Path) -> float:
    """For how many seconds there has been no service; infinite where there was none.

    Goes by the time of day: one that was set back since counts as no time.
    """
    try:
        seen = (folder / _LOCK).stat().st_mtime
    except OSError:
        return float("inf")
    return max(0.0, time.time() - seen)


def is_there(folder: Path) -> bool:
    """Whether a service runs."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def say(folder: Path, status: dict[str, Any]) -> None:
    """Replace what the service says of itself; not worth failing for."""
    new = folder / f"{_STATUS}.new"
    with contextlib.suppress(OSError):
        new.write_text(json.dumps(status))
        new.chmod(0o644)
        new.rename(folder / _STATUS)


def said(folder: Path) -> dict[str, Any] | None:
    """What the service says of itself; None while there is none."""
    if not is_there(folder):
        return None
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / _STATUS).read_text())
        if isinstance(found, dict):
            return found
    return {}
