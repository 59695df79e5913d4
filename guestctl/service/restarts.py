"""Guests that their users shut down, and that policy is to start again: when, and how often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..decisions.policy import resolve
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.options import UserAction
from ..model.plan import Outcome
from ..model.ports import LockHeld
from ..model.record import GuestRecord, Wanted
from ..model.result import Trigger
from ..runs.context import read_all, with_domain_info
from ..runs.restore import restore
from .connections import Connections
from .settling import say_stopped
from .state import ServiceState
from .waiting import first, keep_at

logger = logging.getLogger(__name__)

#: Between a shutdown and the start that follows.  A guest that shuts itself down as soon as it
#: is up is started ever more rarely, until it has been left alone for CALM.
PAUSE, MOST_PAUSE, CALM = 5.0, 300.0, 600.0
#: How long a run of an operator is waited for.
OPERATOR = 1800.0


class Schedule:
    """When guests are due; who is due stays so until tried, also where `work` is cancelled."""

    def __init__(self, start: Callable[[set[GuestId]], Awaitable[None]]) -> None:
        """start: has these guests started, those that are still to be."""
        self._start = start
        self._due: dict[GuestId, float] = {}
        #: How often each was due of late, and when it was last.
        self._late: dict[GuestId, tuple[int, float]] = {}
        self._changed = asyncio.Event()

    def add(self, guest: GuestId) -> float:
        """The guest is to be started; in how many seconds."""
        now = asyncio.get_running_loop().time()
        times, last = self._late.get(guest, (0, now))
        times = times if now - last < CALM else 0
        pause = min(PAUSE * 2.0 ** min(times, 10), MOST_PAUSE)
        if self._due.get(guest, now) <= now:
            self._due[guest] = now + pause
            self._late[guest] = times + 1, now + pause
            self._changed.set()
        return pause

    async def work(self) -> None:
        """Have each started when its time has come; never returns."""
        while True:
            self._changed.clear()
            now = asyncio.get_running_loop().time()
            ready = {guest for guest, at in self._due.items() if at <= now}
            if ready:
                await self._start(ready)
                # Unless it is due anew: its start may have failed.
                self._due = {g: at for g, at in self._due.items() if g not in ready or at > now}
                continue
            pauses = [asyncio.sleep(at - now) for at in sorted(self._due.values())[:1]]
            await first(self._changed.wait(), *pauses)


class Restarts:
    """Starts them, unless somebody decided otherwise meanwhile, or the host goes down."""

    def __init__(
        self, state: ServiceState, until_host_stays: Callable[[], Awaitable[None]]
    ) -> None:
        """until_host_stays returns once it is known that the host is not going down."""
        self._state = state
        self._until_host_stays = until_host_stays
        self._schedule = Schedule(self._start)
        self.connections: Connections | None = None
        self.host_goes_down = False

    def add(self, record: GuestRecord) -> None:
        """The guest's user shut it down just now."""
        if not self.host_goes_down:
            pause = self._schedule.add(record.id)
            say_stopped(record, f"it is started again in {pause:g} s, as policy says")

    async def work(self) -> None:
        """Have each started when its time has come; never returns."""
        # A fault here must not end the service, nor keep it from taking guests to safety.
        await keep_at(self._schedule.work)

    async def _start(self, guests: set[GuestId]) -> None:
        assert self.connections is not None
        await self._until_host_stays()
        usable = self.connections.usable({guest.uri for guest in guests})
        again = there = {guest for guest in guests if guest.uri in usable}
        try:
            async with self._state.restoring(OPERATOR):
                again = await self._restore(there)
        except LockHeld as error:
            logger.error("cannot start guests again: %s", error)
        except Exception as error:  # noqa: BLE001 - the host must still be able to go down well
            logger.error("internal error, guests are not started again: %r", error)
        for guest in again:
            self._schedule.add(guest)

    async def _restore(self, guests: set[GuestId]) -> set[GuestId]:
        """Those that are to be tried once more."""
        state = self._state
        nothing: dict[GuestId, GuestRecord] = {}
        records = await state.context.ledger(Ledger.guests, nothing)
        wanted = {g for g in guests if g in records and records[g].wanted is Wanted.ON}
        uris = {guest.uri for guest in wanted} & state.context.hypervisors.keys()
        hypervisors = {uri: state.context.hypervisors[uri] for uri in uris}
        context = replace(state.context, hypervisors=hypervisors)
        inventory = await read_all(hypervisors)
        down = [guest for guest in inventory.guests if guest.id in wanted and guest.down]
        read = await with_domain_info(hypervisors, down)
        named = frozenset(guest.id for guest in read if self._is_to_be_restarted(guest))
        unread = {guest for guest in wanted if guest.uri in inventory.lost}
        if not named:
            return unread
        result = await restore(context, state.config, Trigger.USER_SHUTDOWN, inventory, named)
        if result.interrupted:
            raise asyncio.CancelledError
        again = (Outcome.FAILED, Outcome.UNKNOWN)
        return unread | {guest.guest for guest in result.guests if guest.outcome in again}

    def _is_to_be_restarted(self, guest: GuestFacts) -> bool:
        policy = resolve(self._state.config, guest).user_shutdown
        return policy.action is UserAction.RESTART
