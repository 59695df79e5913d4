"""One guest while a run is at work on it: its facts, its events, its hypervisor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import replace

from ..model.event import EventKind, GuestEvent
from ..model.guest import GuestFacts, State
from ..model.ports import READ_LIMIT, ErrorKind, Hypervisor, HypervisorError, within

#: How often the state is re-read without an event, since a lost event must not cost a timeout.
POLL = 5.0
#: How long a connection that broke is tried again before its guest counts as unknown.
RECONNECT_LIMIT = 60.0
RECONNECT_PAUSE = 1.0
#: How long reading a state may take when the run's deadline has come.
LEAST_READ = 2.0


class LiveGuest:
    """A guest, found again by its UUID whatever it is called meanwhile."""

    def __init__(
        self,
        facts: GuestFacts,
        hypervisor: Hypervisor,
        ends: float = float("inf"),
        retry_for: float = RECONNECT_LIMIT,
        gone: Collection[str] = (),
    ) -> None:
        """retry_for: how long a connection that broke is tried again, until `ends` at the latest,
        on the loop's clock.  gone: connections for which that is in vain; see Context."""
        self.facts = facts
        self.hypervisor = hypervisor
        #: libvirt's word for how it stopped, where an event told.
        self.stopped = ""
        #: Its definition was removed, as an event told.
        self.undefined = False
        #: A save was asked for that libvirt may still carry out.
        self.save_pending = False
        #: Saved, it is to run once it is resumed, though it may be paused by now.
        self.runs_again = False
        #: The connection stayed away for so long that it is not tried again.
        self.given_up = False
        #: Told once when a connection that broke is about to be tried again.
        self.on_lost: Callable[[HypervisorError], None] = lambda _: None
        self._ends, self._retry_for, self._gone = ends, retry_for, gone
        self._lost_since: float | None = None
        #: QEMU has stopped its processors, as a save does before it writes the first byte.
        self.frozen = asyncio.Event()
        self._told = asyncio.Event()

    @property
    def uuid(self) -> str:
        """What the hypervisor's calls name the guest by."""
        return self.facts.id.uuid

    def on_event(self, event: GuestEvent) -> None:
        """Take an event of this guest: whoever waits re-reads the state."""
        if event.kind in (EventKind.MONITOR, EventKind.AGENT):
            return  # libvirt's own follow
        if event.kind is EventKind.STOPPED:
            self.stopped = event.detail
        elif event.kind is EventKind.STARTED:
            self.stopped = ""
        elif event.kind is EventKind.SUSPENDED:
            self.frozen.set()
        elif event.kind is EventKind.RESUMED:
            self.frozen.clear()
        elif event.kind is EventKind.UNDEFINED:
            self.undefined = event.detail != "renamed"
        elif event.kind is EventKind.DEFINED:
            self.undefined = False
        self._told.set()

    async def observe(self) -> GuestFacts | None:
        """The guest's facts now, or None when it exists no more.

        A broken connection is tried again; HypervisorError when it stays broken, or when
        the state could not be read for another reason.
        """
        while True:
            try:
                return await self._read()
            except HypervisorError as error:
                if error.kind is not ErrorKind.UNREACHABLE or self._give_up(error):
                    raise
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """A libvirtd that was just restarted is soon back; one that was not can take long."""
        assert self._lost_since is not None
        away = asyncio.get_running_loop().time() - self._lost_since
        return RECONNECT_PAUSE if away < RECONNECT_LIMIT else POLL

    def _give_up(self, error: HypervisorError) -> bool:
        now = asyncio.get_running_loop().time()
        if self._lost_since is None:
            self._lost_since = now
            self.on_lost(error)
        is_late = now >= min(self._lost_since + self._retry_for, self._ends)
        self.given_up = is_late or self.facts.id.uri in self._gone
        return self.given_up

    async def _read(self) -> GuestFacts | None:
        left = self._ends - asyncio.get_running_loop().time()
        limit = min(READ_LIMIT, max(LEAST_READ, left))
        facts = await within(limit, self.hypervisor.observe(self.uuid))
        self._lost_since, self.given_up = None, False
        if facts is not None:
            facts = replace(facts, info=self.facts.info)
            self.facts = facts
            if facts.state is State.UNKNOWN:
                raise HypervisorError(ErrorKind.FAILED, "libvirt says nothing of its state")
        return facts

    async def is_down(self) -> bool:
        """Whether no machine of the guest is left.  HypervisorError: it is not known."""
        return is_down(await self.observe())

    async def wait_down_by(self, end: float) -> bool:
        """Wait until the guest is down; False when it is not by `end`, on the loop's clock."""
        return await self.wait_until(is_down, end - asyncio.get_running_loop().time())

    async def wait_until(self, holds: Callable[[GuestFacts | None], bool], limit: float) -> bool:
        """Check at each event, and now and then without one; False at the limit.

        A state that cannot be read is read again: it is no answer.  HypervisorError once the
        connection has stayed away for too long.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while True:
            # Cleared before reading: an event that comes while reading is not missed.
            self._told.clear()
            try:
                if holds(await self._read()):
                    return True
            except HypervisorError as error:
                if error.kind is ErrorKind.UNREACHABLE and self._give_up(error):
                    raise
            left = end - loop.time()
            if left <= 0:
                return False
            await self._next_event(min(POLL, left))

    async def _next_event(self, limit: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._told.wait()


def is_down(facts: GuestFacts | None) -> bool:
    """Whether a guest as it was seen is surely down; None: it exists no more."""
    return facts is None or facts.down
