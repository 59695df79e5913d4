"""One guest while a run is at work on it: its facts, its events, its hypervisor."""

from __future__ import annotations

import asyncio
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
        facts = await self._persistently(self._observe)
        if facts is not None:
            self.facts = facts
        return facts

    async def _observe(self) -> GuestFacts | None:
        return await within(READ_LIMIT, self.hypervisor.observe(self.uuid))

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
        facts = await self.observe()
        return facts is None or not facts.up

    async def wait_down(self, limit: float) -> bool:
        """Wait until the guest is down, for so many seconds; False when it is not by then."""
        return await self.wait_until(self._is_down_or_unknown, limit)

    async def _is_down_or_unknown(self) -> bool:
        try:
            return await self.is_down()
        except HypervisorError:
            return False

    async def wait_until(self, holds: Callable[[], Awaitable[bool]], limit: float) -> bool:
        """Check at each event, and now and then without one; False at the limit."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while True:
            # Cleared before reading: an event that comes while reading is not missed.
            self._news.clear()
            if await holds():
                return True
            left = end - loop.time()
            if left <= 0:
                return False
            await self._next_event(min(POLL, left))

    async def _next_event(self, limit: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), limit)
        except TimeoutError:
            return
