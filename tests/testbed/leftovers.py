"""Folders that belong to a test run, and the sweeping up after runs that were killed.

A run that is interrupted cleans up after itself; one that gets SIGKILL cannot.  Each folder names
its owner, so that the next run finds those whose owner has gone, and ends what lives in them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .processes import start_time

# On disk: guests' saves and hosts' roots are large.
PARENT = Path("/var/tmp")
OWNER = "owner"


def new_folder(prefix: str) -> Path:
    """Make a folder that belongs to this process."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=PARENT))
    (folder / OWNER).write_text(f"{os.getpid()} {start_time(os.getpid())}")
    return folder


def sweep(prefix: str, dispose: Callable[[Path], None]) -> None:
    """Dispose of the folders with that prefix, of this user, whose owners have gone."""
    for folder in PARENT.glob(f"{prefix}*"):
        if _is_abandoned(folder):
            dispose(folder)


def _is_abandoned(folder: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        pid, started = (folder / OWNER).read_text().split()
        mine = (folder / OWNER).stat().st_uid == os.geteuid()
        return mine and start_time(int(pid)) != started
    return False


def remove_folder(folder: Path) -> None:
    """Remove the folder, its owner's name last: cut short, the next sweep still finds it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name != OWNER:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(folder)
