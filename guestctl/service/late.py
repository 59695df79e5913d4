"""Guests that could not be brought up because the world is late: tried until they are.

A disk is unlocked by hand, a network or a pool is started, a device plugged in, minutes or hours
after the boot.  What may have made a difference wakes us, however late; a pause that grows does
where nothing tells, for as long as [boot] start-retry says.  Who waits, since when, and who was
given up stands in the ledger, and any word about the guest ends that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ..control.log_fields import of_guest
from ..decisions.policy import resolve
from ..ledger.ledger import Ledger
from ..model.guest import DiskKind, GuestFacts, GuestId, State
from ..model.ports import HypervisorError, LockHeld, Storage, within
from ..model.record import GuestRecord, gives_up
from ..model.report import RunEvent
from ..model.result import RunResult, Trigger
from ..model.text import argument
from ..model.units import show_duration
from ..runs.context import LOOK_LIMIT, read_all, with_domain_info
from ..runs.restore import restore
from .connections import Connections
from .state import ServiceState
from .waiting import first

logger = logging.getLogger(__name__)

#: Between two attempts: at least, and at most where nothing tells that it is worth one.
PAUSE, MOST_PAUSE = 5.0, 600.0
#: How long one that was given up is tried again once something woke us: things come in bursts.
WHILE = 60.0
#: How often it is looked for files, and how seldom once a look was not answered.
LOOK, LOOK_SELDOM = 5.0, 120.0
#: How long a run of an operator is waited for.
OPERATOR = 1800.0

NEVER = float("inf")
#: What is there of the files that a guest needs.
Signs = frozenset[str]


@dataclass(frozen=True)
class _Tries:
    """How it went with a guest so far.

    begun, due: the last attempt, and the next unless something wakes us; on the loop's clock.
    until: so long it is tried for what woke us last.
    facts: as they were read at the last attempt.
    signs: what was there then; None where that could not be told.
    """

    begun: float
    due: float
    pause: float = PAUSE
    until: float = float("-inf")
    facts: GuestFacts | None = None
    signs: Signs | None = None
    look_after: float = 0.0


class LateGuests:
    """Has guests that wait brought up as soon as that works; connections is set later."""

    def __init__(
        self,
        state: ServiceState,
        until_host_stays: Callable[[], Awaitable[None]],
        autostart: frozenset[str],
    ) -> None:
        """autostart: connections whose autostart is ours in this boot."""
        self._state = state
        self._until_host_stays = until_host_stays
        self._autostart = autostart
        self._tries: dict[GuestId, _Tries] = {}
        self._woken = asyncio.Event()
        self.connections: Connections | None = None

    def look(self) -> None:
        """Somebody may wait from now on."""
        self._woken.set()

    def stirred(self, started: GuestId | None = None) -> None:
        """What guests may need came or went, on whatever connection: they are tried at once.

        started: where that is a guest that was started.  One that we try ourselves, and that goes
        down again at once, must not have itself and others like it tried for ever.
        """
        ours = started in self._tries
        for guest in [guest for guest in self._tries if not ours or self._awaits(guest)]:
            self._wake(guest)
        self._woken.set()

    def _awaits(self, guest: GuestId) -> bool:
        """Whether it was not tried, for want of other guests."""
        record = self._state.waiting.get(guest)
        return record is not None and record.waits_since is None

    def _wake(self, guest: GuestId, keep_at_it: float = WHILE) -> None:
        """Not sooner than a while after the last attempt: things come in bursts."""
        tries, until = self._tries[guest], asyncio.get_running_loop().time() + keep_at_it
        due = min(tries.due, tries.begun + PAUSE)
        self._tries[guest] = replace(tries, due=due, pause=PAUSE, until=until)

    async def work(self) -> None:
        """Never returns."""
        while True:
            self._woken.clear()
            await self._pass()
            pauses = [asyncio.sleep(self._until_next())] if self._tries else []
            await first(self._woken.wait(), *pauses)

    def _until_next(self) -> float:
        now = asyncio.get_running_loop().time()
        # Where a connection cannot be used nobody is tried: its coming back wakes us.
        ahead = (self._tries[guest].due - now for guest in self._within_reach())
        return max(0.1, min([LOOK, *ahead]))

    async def _pass(self) -> None:
        try:
            self._take_up(await self._waiting())
            await self._look_for_files()
            if due := self._due():
                await self._until_host_stays()
                await self._try(due)
                before = set(self._tries)
                self._take_up(await self._waiting())  # who is up waits no more
                if before - self._tries.keys():  # and may be what another needs
                    self.stirred()
            await self._give_up()
        except Exception as error:  # noqa: BLE001 - the host must still be able to go down well
            logger.error("internal error, guests that wait are tried later: %r", error)
            self._failed(self._due(), {})

    async def _waiting(self) -> dict[GuestId, GuestRecord]:
        boot, before = self._state.boot, self._state.waiting
        found: list[GuestRecord] = await self._state.context.ledger(
            lambda ledger: ledger.waiting(boot), list(before.values())
        )
        return {record.id: record for record in found}

    def _take_up(self, records: Mapping[GuestId, GuestRecord]) -> None:
        """Who waits from now on, and what for, is said; who does not is forgotten."""
        before, now = self._state.waiting, asyncio.get_running_loop().time()
        for guest, record in records.items():
            was = before.get(guest)
            if was is None or was.waits_for != record.waits_for:
                logger.warning(_said(record), extra=of_guest(record.name, guest))
            if was is not None and was.given_up and not record.given_up:  # a person tried it
                self._wake(guest)
            self._tries.setdefault(guest, _Tries(now, now + PAUSE))
        self._tries = {guest: self._tries[guest] for guest in records}
        if before != records:
            self._state.waiting = dict(records)
            self._state.on_change()

    # What is there

    async def _look_for_files(self) -> None:
        """A file, device or folder that is there now wakes its guest; one that went does, too."""
        now = asyncio.get_running_loop().time()
        looked = [g for g, it in self._tries.items() if it.facts and it.look_after <= now]
        found = await asyncio.gather(*(self._signs(self._tries[guest].facts) for guest in looked))
        for guest, signs in zip(looked, found, strict=True):
            tries = self._tries[guest]
            if signs is None:
                self._tries[guest] = replace(tries, look_after=now + LOOK_SELDOM)
            elif signs != tries.signs:
                self._tries[guest] = replace(tries, signs=signs)
                # What there was at the last attempt is not known at the first look.
                self._wake(guest, 0.0 if tries.signs is None else WHILE)

    async def _signs(self, facts: GuestFacts | None) -> Signs | None:
        assert facts is not None
        try:
            return await within(LOOK_LIMIT, _signs(self._state.context.storage, facts))
        except HypervisorError:
            return None

    # Attempts

    def _due(self) -> set[GuestId]:
        now = asyncio.get_running_loop().time()
        return {guest for guest in self._within_reach() if self._tries[guest].due <= now}

    def _within_reach(self) -> set[GuestId]:
        assert self.connections is not None
        usable = self.connections.usable({guest.uri for guest in self._tries})
        return {guest for guest in self._tries if guest.uri in usable}

    async def _try(self, guests: set[GuestId]) -> None:
        try:
            async with self._state.restoring(OPERATOR, logging.DEBUG):
                self._failed(guests, await self._restore(guests))
        except LockHeld as error:
            logger.warning("cannot bring guests up that wait: %s", error)
            self._put_off(guests)

    def _put_off(self, guests: Iterable[GuestId]) -> None:
        """They were not tried: as soon as that can be, however long they have waited by then."""
        due = asyncio.get_running_loop().time() + PAUSE
        for guest in guests:
            self._tries[guest] = replace(self._tries[guest], due=due)

    def _failed(self, guests: Iterable[GuestId], facts: Mapping[GuestId, GuestFacts]) -> None:
        """Later then; of those that came up nobody says any more that they wait."""
        now = asyncio.get_running_loop().time()
        for guest in guests:
            before = self._tries[guest]
            read = facts.get(guest, before.facts)
            self._tries[guest] = replace(
                before,
                begun=now,
                due=self._next(guest, now),
                pause=min(2 * before.pause, MOST_PAUSE),
                facts=read,
            )

    # Time that is over

    def _next(self, guest: GuestId, now: float) -> float:
        """When it is tried next if nothing wakes us: the last time as its time ends, then never."""
        tries = self._tries[guest]
        ends = max(self._ends(guest), tries.until)
        return min(now + tries.pause, ends) if now < ends else NEVER

    def _ends(self, guest: GuestId) -> float:
        """Until when it is tried by the clock, the loop's; for ever where others are awaited."""
        record = self._state.waiting.get(guest)
        if record is None or record.waits_since is None:
            return NEVER
        tried = (self._state.context.clock().awake - record.waits_since) / 1e9
        left = self._start_retry(record) - tried
        return asyncio.get_running_loop().time() + left

    def _start_retry(self, record: GuestRecord) -> float:
        bare = GuestFacts(record.id, record.name, State.UNKNOWN)
        facts = self._tries[record.id].facts or bare
        return resolve(self._state.config, facts).boot.start_retry

    async def _give_up(self) -> None:
        """Those whose last attempt by the clock is over: they are named."""
        tried = {g: self._state.waiting[g] for g in self._within_reach()}
        over = [g for g, it in tried.items() if self._tries[g].begun >= self._ends(g)]
        # Beside one another: the ledger writes down together who waits for it.
        await asyncio.gather(*(self._give_one_up(tried[g]) for g in over if not tried[g].given_up))

    async def _give_one_up(self, record: GuestRecord) -> None:
        after = f"given up after {show_duration(self._start_retry(record))}"
        again = "tried again when what it needs comes, or by `guestctl start"
        text = f"{after}: {record.waits_for}; {again} {argument(record.name)}`"
        boot = self._state.boot

        def write(ledger: Ledger) -> bool:
            now = ledger.guest(record.id)
            if now is None or not now.waiting(boot) or now.waits_since != record.waits_since:
                return False
            ledger.change(record.id, gives_up)
            ledger.trail.add(record.id, "guestctl:watch", text)
            return True

        if await self._state.context.ledger(write, False):
            logger.error("%s: %s", record.name, text, extra=of_guest(record.name, record.id))
            self._state.waiting[record.id] = gives_up(record)
            self._state.on_change()

    async def _restore(self, guests: Collection[GuestId]) -> dict[GuestId, GuestFacts]:
        """The guests as they were read."""
        state, told = self._state, list[RunEvent]()
        assert self.connections is not None
        # Those of other connections as well: somebody may require one of them.
        usable = self.connections.usable(state.context.hypervisors)
        hypervisors = {uri: state.context.hypervisors[uri] for uri in usable}
        context = replace(state.context, hypervisors=hypervisors, tell=told.append)
        inventory = await read_all(hypervisors)
        # libvirt may still be at a start that was given up.  Who is not listed was named at boot.
        among = {g.id for g in inventory.guests if g.id in guests and not g.starting}
        flags, trigger = self._autostart, Trigger.LATE
        result = await restore(
            context, state.config, trigger, inventory, autostart=flags, among=among
        )
        self._tell(result, told)
        if result.interrupted:
            raise asyncio.CancelledError
        facts = await with_domain_info(hypervisors, (g for g in inventory.guests if g.id in guests))
        return {guest.id: guest for guest in facts}

    def _tell(self, result: RunResult, told: Iterable[RunEvent]) -> None:
        """What came to nothing once more is not told."""
        if result.interrupted or not all(one.is_not_yet for one in result.guests):
            for event in told:
                self._state.context.tell(event)


def _said(record: GuestRecord) -> str:
    how = "it was given up" if record.given_up else "it is waited for, and tried again"
    return f"{record.name}: {how}: {record.waits_for}"


async def _signs(storage: Storage, facts: GuestFacts) -> Signs:
    """What there is of its disks, and which its save and the folder of saves are."""
    kinds = (DiskKind.FILE, DiskKind.BLOCK)
    names = [disk.name for disk in facts.info.disks or () if disk.kind in kinds]
    image, folder = await storage.image(facts), await storage.folder(facts)
    stamps = [f"{it.disk.name} {it.found} {it.inode}" for it in (image, folder) if it]
    return await storage.present(names) | frozenset(stamps)
