"""What a test leaves behind fails it: tasks of its loops, threads, child processes.

Tests of guests and hosts share daemons and hosts, which one test may begin and a later one use:
those are looked at once, when the session's fixtures have ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import pytest

from guestctl.host import tasks
from tests.testbed.processes import all_pids, is_alive, read_proc, start_time, status_field
from tests.testbed.waiting import wait_until

#: Seconds for what was told to end, and has not been waited for.
GRACE = 5.0
#: Libvirt's event loop lives as long as the process does, from its first use on.
_EVENTS = "events"
#: Idle ones wait for the next call, which may be another test's.
_WORKER = "guestctl call"
#: Tasks that loops left behind, and that no test has been failed for yet.
_pending: list[str] = []
#: Threads that a test has been failed for: not the session's too.
_told: set[object] = set()


class Thing(NamedTuple):
    """What can be left behind; `key` tells it from any other, at any time."""

    key: object
    name: str
    end: Callable[[], object] = bool


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test ends what it began; begun before its fixtures, so that they have ended too."""
    if any(request.node.get_closest_marker(group) for group in ("guests", "hosts")):
        yield
        return
    with _nothing_left("test"):
        yield


@pytest.fixture(autouse=True, scope="session")
def nothing_left_of_all() -> Iterator[None]:
    """The session ends what it began; its watch over loops is there for the tests' guard too."""
    with _watched_loops(), _nothing_left("session"):
        yield


@contextmanager
def _nothing_left(whose: str) -> Iterator[None]:
    before, busy = _keys(), _busy_calls()
    _pending.clear()
    yield
    found = _left(before | _told, busy)
    names = [*_pending, *(thing.name for thing in found), *_calls(_busy_calls() - busy)]
    _pending.clear()
    _told.update(thing.key for thing in found)
    for thing in found:
        thing.end()
    if names:
        pytest.fail(f"the {whose} left behind: {'; '.join(names)}", pytrace=False)


def _left(known: set[object], busy: int) -> list[Thing]:
    """What is there and was not before, once nothing is or time is over."""
    found: list[Thing] = []

    def is_clean() -> bool:
        found[:] = [thing for thing in _things() if thing.key not in known]
        return not found and _busy_calls() <= busy

    with suppress(TimeoutError):
        wait_until(is_clean, GRACE, "end of what was begun")
    return found


def _keys() -> set[object]:
    return {thing.key for thing in _things()}


def _things() -> Iterator[Thing]:
    yield from _threads()
    yield from _children()


def _threads() -> Iterator[Thing]:
    for thread in threading.enumerate():
        if thread.name not in (_EVENTS, _WORKER):
            yield Thing(thread, f"thread {thread.name!r}")


def _children() -> Iterator[Thing]:
    if not _has_children():
        return
    for pid in all_pids():
        if status_field(pid, "PPid") == [str(os.getpid())] and is_alive(pid):
            command = read_proc(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
            yield Thing((pid, start_time(pid)), f"process {pid} ({command.strip()})", _killer(pid))


def _has_children() -> bool:
    """Asked of the kernel alone: looking through /proc after each test would take long."""
    with suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return True
    return False


def _killer(pid: int) -> Callable[[], object]:
    # A child that nobody has waited for keeps its number.
    return lambda: os.kill(pid, signal.SIGKILL)


def _busy_calls() -> int:
    workers = [thread for thread in threading.enumerate() if thread.name == _WORKER]
    return len(workers) - len(tasks._idle)


def _calls(number: int) -> list[str]:
    return [f"{number} blocking calls under way (guestctl.host.tasks)"] if number > 0 else []


@contextmanager
def _watched_loops() -> Iterator[None]:
    """Note the tasks that are there when a loop is ended: asyncio.run cancels them in silence."""
    close = asyncio.Runner.close

    def note_and_close(runner: asyncio.Runner) -> None:
        with suppress(RuntimeError):  # closed already
            left = asyncio.all_tasks(runner.get_loop())
            _pending.extend(f"task of {_origin(task)}" for task in left)
        close(runner)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Runner, "close", note_and_close)
        yield


def _origin(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", repr(task.get_coro()))
