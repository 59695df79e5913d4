"""Answers to calls, and libvirt's state change lock, which calls on one guest wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guestctl.model.ports import ErrorKind, HypervisorError

from .chronicle import By

#: How long libvirt lets a call wait for the lock.
LOCK_LIMIT = 30.0


class Reply:
    """The answer to one call; the first one counts, and nobody need be waiting for it."""

    def __init__(self, future: asyncio.Future[Any] | None = None, by: By = By.SOMEBODY) -> None:
        self._future = future
        self.by = by

    def ok(self, value: object = None) -> None:
        if self._future and not self._future.done():
            self._future.set_result(value)

    def fail(self, kind: ErrorKind, message: str) -> None:
        if self._future and not self._future.done():
            self._future.set_exception(HypervisorError(kind, message))


@dataclass
class _Waiter:
    """A call that waits for the lock; without a timer, it waits for ever."""

    go: Callable[[], None]
    reply: Reply
    timer: asyncio.TimerHandle | None = None


class StateLock:
    """The lock of one guest; is_held says whether it is held against what can go beside backups."""

    def __init__(self, is_held: Callable[[bool], bool], is_frozen: Callable[[], bool]) -> None:
        self._is_held = is_held
        self._is_frozen = is_frozen
        self._waiters: list[_Waiter] = []

    def take(self, reply: Reply, go: Callable[[], None], *, beside_backup: bool = False) -> None:
        """Go as soon as the guest's job is over; without the lock in 30 s the call fails."""
        if not self._is_held(beside_backup):
            go()
            return
        waiter = _Waiter(go, reply)
        # The first call on a frozen QEMU waits in the monitor itself, and that for ever.
        in_monitor = self._is_frozen() and all(w.timer for w in self._waiters)
        if not in_monitor:
            loop = asyncio.get_running_loop()
            waiter.timer = loop.call_later(LOCK_LIMIT, self._timed_out, waiter)
        self._waiters.append(waiter)

    def _timed_out(self, waiter: _Waiter) -> None:
        self._waiters.remove(waiter)
        message = "Timed out during operation: cannot acquire state change lock"
        waiter.reply.fail(ErrorKind.FAILED, message)

    def release(self) -> None:
        """The guest's job is over, or its QEMU answers again: whoever waits goes on."""
        while self._waiters and not self._is_held(False):
            waiter = self._waiters.pop(0)
            if waiter.timer:
                waiter.timer.cancel()
            waiter.go()

    def forget(self) -> None:
        """libvirtd is gone, and with it all that waited."""
        for waiter in self._waiters:
            if waiter.timer:
                waiter.timer.cancel()
        self._waiters.clear()
