"""Blocking calls for asyncio, in daemon threads.

asyncio's own executor joins its threads when the loop ends, so that one libvirt call that
hangs would keep the process from ending (asyncio.run, shutdown_default_executor).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


#: Threads that wait for more work; further ones end when theirs is done.
MAX_IDLE = 32


class _Worker:
    """A daemon thread that does one piece of work after another."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="guestctl call", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self.inbox.get()()
            if len(_idle) >= MAX_IDLE:
                return
            _idle.append(self)


_idle: deque[_Worker] = deque()


class Account:
    """Work that is done for one purpose, in whichever loops and threads, until it has returned.

    Whoever gave up waiting for work that hangs can still see that it does: each costs a thread, and
    what it has open.
    """

    def __init__(self) -> None:
        #: When each piece began, in seconds on the monotonic clock.
        self._begun: dict[object, float] = {}

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """What is begun meanwhile in this thread, and in event loops that are run here, counts."""
        token = _account.set(self)
        try:
            yield
        finally:
            _account.reset(token)

    def older_than(self, seconds: float) -> int:
        """How many pieces have not returned for so long."""
        now = time.monotonic()
        return sum(now - begun > seconds for begun in tuple(self._begun.values()))

    def counted(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work, which counts from now on until it has returned."""
        piece = object()
        self._begun[piece] = time.monotonic()

        def run() -> None:
            try:
                work()
            finally:
                del self._begun[piece]

        return run


_account: ContextVar[Account | None] = ContextVar("account", default=None)


def hanging(seconds: float) -> int:
    """The same of the account that is open here; 0 without one."""
    account = _account.get()
    return 0 if account is None else account.older_than(seconds)


def start(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do the work in a thread; cancelling the future does not stop the work.

    Work that hangs costs its thread: the next finds another, or a new one.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except StopIteration as error:  # which a future refuses
            hand_over(loop, future, error=RuntimeError(f"unexpected {error!r}"))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            hand_over(loop, future, error=error)
        else:
            hand_over(loop, future, result)

    _give(run)
    return future


def in_time(limit: float, work: Callable[[], T]) -> T:
    """The same without an event loop; TimeoutError after so many seconds: the work goes on."""
    result: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            result.set_exception(error)

    _give(run)
    return result.result(limit)


class OneAtATime:
    """Work of which one piece of a kind is done at a time, each in a thread.

    Work that hangs then costs one thread, however often it is asked for: whoever comes later waits
    for it in vain, and gives up after a time limit of their own.  Nobody is given what was begun
    before they asked.
    """

    def __init__(self) -> None:
        self._under_way: dict[object, asyncio.Future[object]] = {}

    async def do(self, kind: Hashable, work: Callable[[], T]) -> T:
        """The result of the work, begun once what is under way of its kind has returned."""
        key = (asyncio.get_running_loop(), kind)
        while (earlier := self._under_way.get(key)) is not None:
            await asyncio.wait([earlier])
        future = start(work)
        self._under_way[key] = future  # type: ignore[assignment]  # its result is not looked at
        future.add_done_callback(lambda done: self._ended(key, done))
        # Cancelled with its caller, it would count as returned.
        return await asyncio.shield(future)

    def _ended(self, key: object, future: asyncio.Future[T]) -> None:
        del self._under_way[key]
        if not future.cancelled():
            future.exception()  # the caller may have given up, and asyncio would log it


def _give(work: Callable[[], None]) -> None:
    worker, account = _free_worker(), _account.get()
    worker.inbox.put(work if account is None else account.counted(work))


def _free_worker() -> _Worker:
    try:
        return _idle.pop()
    except IndexError:
        return _Worker()


def hand_over(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
    result: T | None = None,
    error: BaseException | None = None,
) -> None:
    """Resolve a future from another thread, if anybody still waits for it."""

    def resolve() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # a result, where no error

    call_soon(loop, resolve)


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    """Call back on the loop from another thread; nothing happens once the loop is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
