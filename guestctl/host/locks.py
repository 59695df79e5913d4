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
from typing import Any

from ..model.instant import Instant
from ..model.ports import LockHeld
from .own_files import open_for_us, take_folder

_SERVICE, _ALIVE = "daemon.lock", "daemon.alive"
_LOCK, _HOLDER = "run.lock", "run.json"
_POLL = 0.2
#: Attempts at a lock, and the pause between two: who only looks whether there is a
#: service has it as well, for a moment.
_ATTEMPTS, _PAUSE = 5, 0.1
#: How long a run that was told to end may take: it aborts saves that are under way.
ASKED_LIMIT = 20.0


class AnotherService(Exception):
    """There is one already."""


# The service's lock, in the run folder (machine.run_folder)


def take_service_lock(folder: Path) -> int:
    """Be the service until the process ends; the lock's descriptor.

    Raises AnotherService, OSError.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    take_folder(folder)
    # Whoever may open it may lock it, and keep the service from starting.
    descriptor = open_for_us(folder / _SERVICE)
    if _try_often(descriptor):
        return descriptor
    os.close(descriptor)
    raise AnotherService


def _try_often(descriptor: int) -> bool:
    for attempt in range(_ATTEMPTS):
        if _try_lock(descriptor):
            return True
        time.sleep(_PAUSE if attempt < _ATTEMPTS - 1 else 0)
    return False


def is_service_running(folder: Path) -> bool | None:
    """Whether there is a service; None where this user may not look.

    Only the service's user may: whoever can open the lock can keep a service from starting.
    """
    try:
        descriptor = os.open(folder / _SERVICE, os.O_RDONLY)
    except PermissionError:
        return None
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def service_lives(folder: Path, now: Instant) -> None:
    """Leave a trace of when there was a service."""
    with contextlib.suppress(OSError):
        (folder / _ALIVE).write_text(f"{now.boot} {now.up}")


def seconds_without_service(folder: Path, now: Instant) -> float:
    """For how long there has been none; infinite where there was none in this boot."""
    try:
        boot, up = (folder / _ALIVE).read_text().split(" ")
        since = now.seconds_since(boot, int(up))
    except (OSError, ValueError):
        return float("inf")
    return float("inf") if since is None else since


# Whoever changes who is in charge of the host, in the run folder as well


@contextlib.contextmanager
def held_alone(folder: Path, name: str) -> Iterator[None]:
    """Hold a lock meanwhile.  Raises LockHeld where another process has it; OSError."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    take_folder(folder)
    descriptor = open_for_us(folder / name)
    try:
        if not _try_often(descriptor):
            raise LockHeld(f"{folder / name} is locked")
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path, name: str) -> bool:
    """Whether somebody holds it."""
    with contextlib.ExitStack() as held, contextlib.suppress(OSError):
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
        held.callback(os.close, descriptor)
        return not _try_lock(descriptor)
    return False


# The run lock, in the run folder as well


def who_runs(folder: Path) -> str:
    """Who has the run lock, in words; "" where nobody has it."""
    return _holder(folder) if is_locked(folder, _LOCK) else ""


@contextlib.contextmanager
def runs_held_off(folder: Path, what: str) -> Iterator[None]:
    """Hold the run lock where no run is meant: none begins meanwhile, and who comes second is told
    what.  A host that goes down sends this process SIGTERM after a while, and goes on beside it.

    Raises LockHeld, in which it says whose run goes on; OSError.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(held_alone(folder, _LOCK))
        except LockHeld as error:
            raise LockHeld(_holder(folder)) from error
        _say_who(folder, what)
        yield


class HostRunLock:
    """The RunLock of ports.py, in the run folder (machine.run_folder).

    Not on a disk: one that stalls keeps no run from starting, nor does one that is full.  Where
    there can be no such file, or its file system cannot lock, the run goes on without a lock, with
    a word of trouble.
    """

    def __init__(self, folder: Path, trouble: Callable[[str], None]) -> None:
        self._folder = folder
        self._trouble = trouble
        #: The task of this process that has it.
        self._own: asyncio.Task[Any] | None = None

    def is_held(self) -> bool:
        return is_locked(self._folder, _LOCK)

    @contextlib.asynccontextmanager
    async def hold(
        self, what: str, limit: float, *, ask: bool = False, ends: str = ""
    ) -> AsyncIterator[None]:
        """See RunLock; a run that was asked to end has ASKED_LIMIT more seconds for that.

        A run of this process, where this lock is the one that it holds, is cancelled then.
        """
        with contextlib.ExitStack() as held:
            try:
                await self._acquire(self._opened(held), limit, ask=ask, ends=ends)
            except OSError as error:
                text = f"cannot lock {self._folder}: {error.strerror}; going on without a lock"
                self._trouble(text)
            _say_who(self._folder, what)
            with self._held_by(asyncio.current_task()):
                yield

    @contextlib.contextmanager
    def _held_by(self, task: asyncio.Task[Any] | None) -> Iterator[None]:
        self._own = task
        try:
            yield
        finally:
            if self._own is task:  # and not one that went on beside it
                self._own = None

    def _opened(self, held: contextlib.ExitStack) -> int:
        """The file to be locked until the end of `held`; others may not open it, and so lock it."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = open_for_us(self._folder / _LOCK)
        held.callback(os.close, descriptor)
        return descriptor

    async def _acquire(self, descriptor: int, limit: float, *, ask: bool, ends: str) -> None:
        # Who only looks whether it is held has it as well, for a moment.
        if await _got_it(descriptor, max(limit, 1.5 * _POLL)):
            return
        holder = _holder(self._folder)
        if not (ask or (ends and holder.startswith(ends))):
            raise LockHeld(f"another run has the lock: {holder}")
        self._trouble(f"another run is told to end: {holder}")
        self._end_holder()
        if await _got_it(descriptor, ASKED_LIMIT):
            return
        text = f"another run does not end: {_holder(self._folder)}"
        if not ask:
            raise LockHeld(text)
        self._trouble(f"{text}; going on beside it")

    def _end_holder(self) -> None:
        """Such a run begins no further step, whoever's it is."""
        if self._own is not None:
            self._own.cancel()
        else:
            _signal_holder(self._folder)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _got_it(descriptor: int, limit: float) -> bool:
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while not _try_lock(descriptor):
        if loop.time() >= end:
            return False
        await asyncio.sleep(_POLL)
    return True


def _signal_holder(folder: Path) -> None:
    """SIGTERM to the process that has the lock."""
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


def _holder(folder: Path) -> str:
    try:
        holder = json.loads((folder / _HOLDER).read_text())
        since = datetime.fromtimestamp(holder["since"]).strftime("%H:%M:%S")
        return f"{holder['what']} (process {holder['pid']}, since {since})"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "its name could not be read"
