"""One run at a time: the lock beside the ledger, and who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

_HOLDER = "run.json"
_POLL = 0.2


class LockHeld(Exception):
    """Another run has the lock; the text says which."""


@contextlib.contextmanager
def run_lock(
    folder: Path,
    what: str,
    wait: float,
    trouble: Callable[[str], None],
    *,
    or_go_on: bool = False,
) -> Iterator[None]:
    """Hold the run lock of a state folder, or raise LockHeld after `wait` seconds.

    The lock is on the folder itself, which takes no room: a full or read-only disk does not
    keep a run from starting.  Where there is no such folder, the run goes on without a lock,
    with a word of trouble; with or_go_on, also when the other run does not end.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        trouble(f"cannot lock {folder}: {error.strerror}; going on without a lock")
        yield
        return
    try:
        _acquire_or_say_why_not(descriptor, folder, wait, trouble, or_go_on)
        _say_who(folder, what)
        yield
    finally:
        os.close(descriptor)


def _acquire_or_say_why_not(
    descriptor: int, folder: Path, wait: float, trouble: Callable[[str], None], or_go_on: bool
) -> None:
    try:
        _acquire(descriptor, folder, wait)
    except LockHeld as error:
        if not or_go_on:
            raise
        trouble(f"{error}; going on beside it")
    except OSError as error:  # a file system that cannot lock
        trouble(f"cannot lock {folder}: {error.strerror}; going on without a lock")


def _acquire(descriptor: int, folder: Path, wait: float) -> None:
    give_up = time.monotonic() + wait
    while not _try_lock(descriptor):
        if time.monotonic() >= give_up:
            raise LockHeld(f"another run has the lock: {_holder(folder)}")
        time.sleep(_POLL)  # flock(2) has no time limit of its own


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(folder: Path) -> bool:
    """Whether a run is under way."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _say_who(folder: Path, what: str) -> None:
    holder = {"pid": os.getpid(), "what": what, "since": time.time()}
    # For the eyes of whoever comes second: not worth failing for.
    with contextlib.suppress(OSError):
        (folder / _HOLDER).write_text(json.dumps(holder))


def _holder(folder: Path) -> str:
    try:
        holder = json.loads((folder / _HOLDER).read_text())
        since = datetime.fromtimestamp(holder["since"]).strftime("%H:%M:%S")
        return f"{holder['what']} (process {holder['pid']}, since {since})"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "its name could not be read"
