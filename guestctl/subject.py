"""One guest while a run is at work on it: its facts, its events, its hypervisor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .model import EventKind, GuestEvent, GuestFacts
from .ports import ErrorKind, Hypervisor, HypervisorError, within
from .world import READ_LIMIT

T = TypeVar("T")

#: How often the state is re-read without an event, since a lost event must not cost a timeout.
POLL = 5.0
#: How long a connection that broke is tried again before its guest counts as unknown.
RECONNECT_LIMIT = 60.0
RECONNECT_PAUSE = 1.0


class Subject:
    """A guest, found again by its UUID whatever it is called meanwhile."""

    def __init__(self, facts: GuestFacts, hypervisor: Hypervisor) -> None:
        self.facts = facts
        self.hypervisor = hypervisor
        #: libvirt's word for how it stopped, where an event told.
        self.stopped = ""
        self._news = asyncio.Event()

    @property
    def uuid(self) -> str:
        return self.facts.id.uuid

    def hear(self, event: GuestEvent) -> None:
        """Take an event of this guest: whoever waits re-reads the state."""
        if event.kind is EventKind.STOPPED:
            self.stopped = event.detail
        elif event.kind is EventKind.STARTED:
            self.stopped = ""
        self._news.set()

    async def observe(self) -> GuestFacts | None:
        """The guest's facts now, or None when it exists no more.

        A broken connection is tried again; HypervisorError when it stays broken.
        """
        return await self._persistently(self._look)

    async def _look(self) -> GuestFacts | None:
        facts = await within(READ_LIMIT, self.hypervisor.observe(self.uuid))
        if facts is not None:
            self.facts = facts
        return facts

    async def _persistently(self, call: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + RECONNECT_LIMIT
        while True:
            try:
                return await call()
            except HypervisorError as error:
                if error.kind is not ErrorKind.UNREACHABLE or loop.time() >= give_up:
                    raise
            await asyncio.sleep(RECONNECT_PAUSE)

    async def is_down(self) -> bool:
        """Whether no machine of the guest is left.  HypervisorError: it is not known."""
        return _is_down(await self.observe())

    async def wait_down_by(self, end: float) -> bool:
        """Wait until the guest is down; False when it is not by `end`, on the loop's clock."""
        return await self.wait_until(_is_down, end - asyncio.get_running_loop().time())

    async def wait_until(self, holds: Callable[[GuestFacts | None], bool], limit: float) -> bool:
        """Check at each event, and now and then without one; False at the limit.

        A state that cannot be read is read again: it is no answer.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while True:
            # Cleared before reading: an event that comes while reading is not missed.
            self._news.clear()
            with contextlib.suppress(HypervisorError):
                if holds(await self._look()):
                    return True
            left = end - loop.time()
            if left <= 0:
                return False
            await self._next_event(min(POLL, left))

    async def _next_event(self, limit: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), limit)


def _is_down(facts: GuestFacts | None) -> bool:
    return facts is None or not facts.up
