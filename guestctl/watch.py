"""Follows the guests of one connection all the time, and keeps the ledger true.

Level-triggered: an event says whom to look at, and what is then seen is what counts.  After a
connection that broke all guests are looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from . import journal
from .ledger import Ledger
from .model import GuestEvent, GuestFacts, GuestId, Known, StoppedBy, Wanted
from .ports import ErrorKind, Hypervisor, HypervisorError, within
from .run import notice_guest
from .waiting import first
from .world import READ_LIMIT, World

#: Between attempts to reach a hypervisor that is not there: at first, and at most.
PAUSE, MOST_PAUSE = 1.0, 30.0
#: From so many guests on they are read in one go.
MANY = 8
#: Without any event all are looked at so often: one that was lost must not be lost for good.
ANYWAY = 300.0
#: How often guests that a run has in hand are looked at, until it lets go of them.
HANDS_OFF = 1.0
#: Stops that were not somebody's act on this host do not settle.
_NOBODY = frozenset({StoppedBy.HOST, StoppedBy.MOVED, StoppedBy.CRASH})


class _Hands(NamedTuple):
    """Before guests are looked at: whom a run has in hand, and a number for those to come."""

    newest: int
    in_hand: set[GuestId]


class _Noticed(NamedTuple):
    """Who is to be looked at again, and who was turned off just now."""

    in_hand: set[GuestId]
    stopped: list[Known]


class Watch:
    """One connection, followed by `follow`, which never returns.

    up: guests that would lose their memory with the host, by name.  trouble: why the connection
    cannot be used, empty while it can.
    """

    def __init__(
        self,
        world: World,
        hypervisor: Hypervisor,
        *,
        is_run_under_way: Callable[[], bool],
        on_change: Callable[[], None],
        on_stop: Callable[[Known], None],
    ) -> None:
        """on_stop hears of each guest that somebody turned off: its settle time begins."""
        self.up: dict[GuestId, str] = {}
        self.trouble = "not connected yet"
        self._world = world
        self._hypervisor = hypervisor
        self._is_run_under_way = is_run_under_way
        self._on_change = on_change
        self._on_stop = on_stop
        self._was_connected = False
        self._all = False
        self._news: dict[GuestId, None] = {}
        self._wake = asyncio.Event()

    async def follow(self) -> None:
        """Connect, read everything, then whatever there is news of; again when it breaks."""
        deafen = self._hypervisor.listen(self._hear)
        pause = PAUSE
        try:
            while True:
                try:
                    await self._attend()
                except HypervisorError as error:
                    self._lost(str(error))
                except Exception as error:  # noqa: BLE001 - looked at anew, as after an outage
                    self._lost(f"internal error: {error!r}")
                pause = PAUSE if self._was_connected else pause
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_PAUSE)
        finally:
            deafen()

    def look_at_all(self) -> None:
        """What was noticed may not be in the ledger: everybody is read anew."""
        self._all = True
        self._wake.set()

    def _hear(self, event: GuestEvent) -> None:
        self._news[event.guest] = None
        self._wake.set()

    def _lost(self, why: str) -> None:
        if why != self.trouble:
            journal.log(f"connection lost: {why}", priority=journal.Priority.WARNING)
            self.trouble = why
            self._on_change()

    async def _attend(self) -> None:
        deaf = await within(READ_LIMIT, self._hypervisor.attend())
        # Nobody knows when a guest stopped that was found down at the service's own start.
        await self._read_all(live=self._was_connected)
        self._was_connected = True
        self.trouble = ""
        self._on_change()
        journal.log(f"connected to {self._hypervisor.uri}: {len(self.up)} guests are up")
        while not deaf.is_set():
            await first(self._wake.wait(), deaf.wait(), asyncio.sleep(ANYWAY))
            self._wake.clear()
            await self._look()
        text = f"{self._hypervisor.uri}: the connection broke"
        raise HypervisorError(ErrorKind.UNREACHABLE, text)

    async def _look(self) -> None:
        news, self._news = list(self._news), {}
        if self._all or not news or len(news) >= MANY:
            self._all = False
            await self._read_all(live=True, news=news)
        else:
            await self._look_at(news)

    async def _look_at(self, guests: Collection[GuestId]) -> None:
        hands = await self._hands()
        looks = [self._observe(guest) for guest in guests]
        seen = dict(zip(guests, await asyncio.gather(*looks), strict=True))
        gone = [guest for guest, facts in seen.items() if facts is None]
        await self._take_notice(hands, [f for f in seen.values() if f], gone, live=True)

    async def _observe(self, guest: GuestId) -> GuestFacts | None:
        return await within(READ_LIMIT, self._hypervisor.observe(guest.uuid))

    async def _read_all(self, *, live: bool, news: Collection[GuestId] = ()) -> None:
        """news: who is known to have been there; those that are not any more are gone."""
        hands = await self._hands()
        seen = await within(READ_LIMIT, self._hypervisor.guests())
        listed = {facts.id for facts in seen}
        self._count([], [guest for guest in self.up if guest not in listed])
        gone = [guest for guest in news if guest not in listed]
        await self._take_notice(hands, seen, gone, live=live)

    async def _hands(self) -> _Hands:
        return await self._world.scribe(
            lambda ledger: _Hands(ledger.hands.newest(), self._in_hand(ledger)), _Hands(0, set())
        )

    def _in_hand(self, ledger: Ledger) -> set[GuestId]:
        return ledger.hands.held(self._world.boot) if self._is_run_under_way() else set()

    async def _take_notice(
        self,
        hands: _Hands,
        seen: Collection[GuestFacts],
        gone: Collection[GuestId],
        *,
        live: bool,
    ) -> None:
        """live: what is seen has happened just now, as events told."""
        self._count(seen, gone)
        nothing = _Noticed(set(), [])
        noticed = await self._world.scribe(
            lambda ledger: self._write(ledger, hands, seen, gone, live), nothing
        )
        for known in noticed.stopped:
            self._on_stop(known)
        if noticed.in_hand:
            self._news.update(dict.fromkeys(noticed.in_hand))
            asyncio.get_running_loop().call_later(HANDS_OFF, self._wake.set)

    def _count(self, seen: Iterable[GuestFacts], gone: Iterable[GuestId]) -> None:
        before = dict(self.up)
        for guest in gone:
            self.up.pop(guest, None)
        for facts in seen:
            if facts.up:
                self.up[facts.id] = facts.name
            elif facts.down:
                self.up.pop(facts.id, None)
        if self.up != before:
            self._on_change()

    def _write(
        self,
        ledger: Ledger,
        hands: _Hands,
        seen: Collection[GuestFacts],
        gone: Collection[GuestId],
        live: bool,
    ) -> _Noticed:
        boot = self._world.boot
        # What was seen of a guest that a run has dealt with meanwhile is not true any more.
        in_hand = hands.in_hand | self._in_hand(ledger) | ledger.hands.taken_since(hands.newest)
        stopped = []
        for facts in seen:
            if facts.id in in_hand:
                continue
            before = ledger.guest(facts.id)
            notice_guest(ledger, before, facts, boot)
            after = ledger.guest(facts.id)
            if live and after and _was_turned_off(before, after):
                ledger.unsettle(facts.id, boot)
                stopped.append(ledger.guest(facts.id) or after)
        for guest in gone:
            if guest not in in_hand:
                ledger.undecided(guest)
        met = {*(facts.id for facts in seen), *gone}
        return _Noticed(in_hand & met, stopped)


def _was_turned_off(before: Known | None, after: Known) -> bool:
    was_on = before is not None and before.wanted is Wanted.ON
    return was_on and after.wanted is Wanted.OFF and after.stopped_by not in _NOBODY
