"""One service, and one run at a time: locks that end with the process that holds them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path

_SERVICE = "daemon.lock"
_HOLDER = "run.json"
_POLL = 0.2
#: Attempts at the service's lock, and the pause between two: who only looks whether there is a
#: service has it as well, for a moment.
_ATTEMPTS, _PAUSE = 5, 0.1
#: How long a run that was told to end may take: it aborts saves that are under way.
ASKED_LIMIT = 20.0


class AnotherService(Exception):
    """There is one already."""


class LockHeld(Exception):
    """Another run has the lock; the text says which."""


# The service's lock, in the run folder (machine.run_folder)


def take_service_lock(folder: Path) -> int:
    """Be the service until the process ends; the lock's descriptor.

    Raises AnotherService, OSError.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(folder / _SERVICE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    for attempt in range(_ATTEMPTS):
        if _try_lock(descriptor):
            return descriptor
        time.sleep(_PAUSE if attempt < _ATTEMPTS - 1 else 0)
    os.close(descriptor)
    raise AnotherService


def is_service_running(folder: Path) -> bool:
    """Whether there is a service."""
    try:
        descriptor = os.open(folder / _SERVICE, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def touch_service_lock(folder: Path) -> None:
    """Leave a trace of when there was a service."""
    with contextlib.suppress(OSError):
        os.utime(folder / _SERVICE)


def seconds_without_service(folder: Path) -> float:
    """For how long there has been none; infinite where there never was.

    Goes by the time of day: one that was set back since counts as no time.
    """
    try:
        seen = (folder / _SERVICE).stat().st_mtime
    except OSError:
        return float("inf")
    return max(0.0, time.time() - seen)


# The run lock, on the state folder


@contextlib.contextmanager
def run_lock(
    folder: Path,
    what: str,
    wait: float,
    trouble: Callable[[str], None],
) -> Iterator[None]:
    """Hold the run lock of a state folder, or raise LockHeld after `wait` seconds.

    The lock is on the folder itself, which takes no room: a full or read-only disk does not
    keep a run from starting.  Where there is no such folder, or its file system cannot lock,
    the run goes on without a lock, with a word of trouble.
    """
    with contextlib.ExitStack() as held:
        with _or_without(folder, trouble):
            _acquire(_opened(folder, held), folder, wait)
        _say_who(folder, what)
        yield


@contextlib.contextmanager
def _or_without(folder: Path, trouble: Callable[[str], None]) -> Iterator[None]:
    """Go on without a lock where none can be had."""
    try:
        yield
    except OSError as error:
        trouble(f"cannot lock {folder}: {error.strerror}; going on without a lock")


def _opened(folder: Path, held: contextlib.ExitStack) -> int:
    """The folder, to be locked until the end of `held`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    held.callback(os.close, descriptor)
    return descriptor


def _acquire(descriptor: int, folder: Path, wait: float) -> None:
    # Who only looks whether it is held (`is_held`) has it as well, for a moment.
    give_up = time.monotonic() + max(wait, 1.5 * _POLL)
    while not _try_lock(descriptor):
        if time.monotonic() >= give_up:
            raise _refusal(folder)
        time.sleep(_POLL)  # flock(2) has no time limit of its own


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(folder: Path) -> bool:
    """Whether a run is under way."""
    with contextlib.ExitStack() as held, contextlib.suppress(OSError):
        return not _try_lock(_opened(folder, held))
    return False


@contextlib.asynccontextmanager
async def run_lock_of_service(
    folder: Path, what: str, trouble: Callable[[str], None], *, timeout: float, ask: bool
) -> AsyncIterator[None]:
    """Hold the run lock; where another run has it, wait for it `timeout` seconds.

    ask: then tell it to end, and after ASKED_LIMIT more seconds go on beside it: a host that goes
    down does not wait for an operator's run.  Without, LockHeld is raised then.
    """
    with contextlib.ExitStack() as held:
        with _or_without(folder, trouble):
            await _acquire_waiting(_opened(folder, held), folder, trouble, timeout, ask)
        _say_who(folder, what)
        yield


async def _acquire_waiting(
    descriptor: int, folder: Path, trouble: Callable[[str], None], timeout: float, ask: bool
) -> None:
    if await _got_it(descriptor, timeout):
        return
    if not ask:
        raise _refusal(folder)
    trouble(f"another run is told to end: {_holder(folder)}")
    _tell_to_end(folder)
    if not await _got_it(descriptor, ASKED_LIMIT):
        trouble(f"another run does not end: {_holder(folder)}; going on beside it")


async def _got_it(descriptor: int, limit: float) -> bool:
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while not _try_lock(descriptor):
        if loop.time() >= end:
            return False
        await asyncio.sleep(_POLL)
    return True


def _tell_to_end(folder: Path) -> None:
    """SIGTERM to whoever has the lock: such a run begins no further step."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        pid = int(json.loads((folder / _HOLDER).read_text())["pid"])
        # The number may be another process's by now.
        if b"guestctl" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != os.getpid():
            os.kill(pid, signal.SIGTERM)


def _say_who(folder: Path, what: str) -> None:
    holder = {"pid": os.getpid(), "what": what, "since": time.time()}
    # For the eyes of whoever comes second: not worth failing for.
    with contextlib.suppress(OSError):
        (folder / _HOLDER).write_text(json.dumps(holder))


def _refusal(folder: Path) -> LockHeld:
    return LockHeld(f"another run has the lock: {_holder(folder)}")


def _holder(folder: Path) -> str:
    try:
        holder = json.loads((folder / _HOLDER).read_text())
        since = datetime.fromtimestamp(holder["since"]).strftime("%H:%M:%S")
        return f"{holder['what']} (process {holder['pid']}, since {since})"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "its name could not be read"
