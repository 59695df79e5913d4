"""Bringing guests back: at boot, and after a shutdown that was cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from ..config.config import Config
from ..decisions import attempts
from ..ledger.ledger import Ledger
from ..model.guest import GuestId
from ..model.plan import RunKind
from ..model.ports import LockHeld, RunLock
from ..model.record import GuestRecord
from ..model.report import Trouble, names
from ..model.result import RunResult, Trigger
from ..runs.as_found import leave_as_found
from ..runs.context import Context, read_all, read_all_retrying
from ..runs.reconcile import LEDGER as LEDGER_LOST
from ..runs.restore import restore
from .connections import Connections
from .host_stop import LIBVIRTD
from .state import ServiceState
from .waiting import first

logger = logging.getLogger(__name__)

#: How long all connections are waited for at boot, before those that are there are begun with.
ALL_THERE = 60.0
#: How long a run of an operator is waited for.
OPERATOR = 1800.0
#: Until a connection that could be used, and then could not be read, is tried again: at first, and
#: at most.  The same for a ledger that does not say what is wanted.
AGAIN, AGAIN_AT_MOST = 5.0, 300.0
#: How long a ledger that cannot be used is waited for, before libvirt's flags alone are followed.
LEDGER = 120.0
#: How often it is looked whether a guest follows a request that was cancelled.
LATE_POLL = 2.0
#: Runs after which a restore is owed because of a stop of the host.
_OF_A_STOP = ((RunKind.PRESERVE, Trigger.HOST_STOP), (RunKind.RESTORE, Trigger.CANCELLED))
SWITCHED_ON = (
    "guestctl was switched on after the host had booted without it: guests of %s are left as they"
    " are, nobody is started in this boot"
)
LEFT_OFF = "off, though wanted on before: %s; `guestctl start GUEST` starts them"


class Restores:
    """The restores that a host owes its guests.

    autostart: connections whose autostart is ours in this boot.
    """

    def __init__(
        self,
        state: ServiceState,
        connections: Connections,
        until_host_stays: Callable[[], Awaitable[None]],
        autostart: frozenset[str],
        on_end: Callable[[], None],
        units_were_stopped: Callable[[], bool],
    ) -> None:
        """until_host_stays returns once it is known that the host is not going down.

        on_end: called when a restore has ended, and guests may be left that wait.
        units_were_stopped: see `trigger_of`.
        """
        self._state = state
        self._connections = connections
        self._until_host_stays = until_host_stays
        self._autostart = autostart
        self._on_end = on_end
        self._units_were_stopped = units_were_stopped
        #: Who was up when guests were brought back, and may still go down on our account.
        self._late: set[GuestId] = set()

    async def begin_owed(self) -> asyncio.Task[None] | None:
        """The restore that this boot still owes; None where it owes none."""
        if owed := self._connections.watches.keys() - await self._done():
            trigger = await trigger_of(self._state.context, self._units_were_stopped)
            return self._begin(trigger, owed)
        if await self._asked_in_vain():  # a shutdown was cancelled, and the service then killed
            return self.begin_after_cancel()
        return None

    async def _done(self) -> frozenset[str]:
        """Connections whose guests this boot has brought back."""
        boot, nothing = self._state.boot, frozenset[str]()
        return await self._state.context.ledger(
            lambda ledger: ledger.runs.restored_since_preserve(boot), nothing
        )

    def begin_after_cancel(self) -> asyncio.Task[None]:
        """The restore of whom a shutdown took down that did not come about."""
        return self._begin(Trigger.CANCELLED, self._connections.watches.keys())

    def _begin(self, trigger: Trigger, uris: Iterable[str]) -> asyncio.Task[None]:
        return asyncio.create_task(self._work(trigger, set(uris)))

    async def _work(self, trigger: Trigger, uris: set[str]) -> None:
        try:
            await self._restore_all(trigger, uris)
            await self._see_to_late_ones()
        except Exception as error:  # noqa: BLE001 - the host must still be able to go down well
            logger.error("internal error, guests are not brought back: %r", error)

    async def _restore_all(self, trigger: Trigger, owed: set[str]) -> None:
        """At first with the connections that are there, then with late ones."""
        connections = self._connections
        await self._until_host_stays()
        everybody = connections.until_usable(owed, all_of_them=True)
        await first(asyncio.sleep(ALL_THERE), everybody)
        await self._until_ledger_remembers()
        if trigger is Trigger.BOOT:
            owed = owed - await self._done()  # it may not have answered when that was asked
        pause = AGAIN
        while owed:
            await connections.until_usable(owed, all_of_them=False)
            there = connections.usable(owed)
            lost = await self._restore_some(trigger, there)
            owed = (owed - there) | lost
            if lost:
                await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_AT_MOST) if lost else AGAIN

    async def _until_ledger_remembers(self) -> None:
        """A fault of it that passes must not give up everybody, nor start whom it says is off."""
        end = asyncio.get_running_loop().time() + LEDGER
        while not await self._state.context.ledger(lambda ledger: ledger.remembers, False):
            if asyncio.get_running_loop().time() >= end:
                logger.error("the ledger cannot be used: who was on before is not known")
                return
            await asyncio.sleep(AGAIN)

    async def _restore_some(self, trigger: Trigger, uris: set[str]) -> set[str]:
        """Those that need another restore."""
        try:
            async with self._state.restoring(OPERATOR):
                return uris & await self._restore_or_leave(trigger, uris)
        except LockHeld as error:
            logger.error("cannot bring guests back: %s", error)
            return uris

    async def _restore_or_leave(self, trigger: Trigger, uris: set[str]) -> set[str]:
        """A host that booted without guestctl is in the midst of its day: it owes no start."""
        left = set(filter(self._state.is_as_found, uris)) if trigger is Trigger.BOOT else set()
        lost = await self._leave(left) if left else set()
        return lost | await self._restore(trigger, uris - left) if uris - left else lost

    async def _leave(self, uris: set[str]) -> set[str]:
        """Connections that were lost."""
        context = self._context_of(uris)
        inventory = await read_all(context.hypervisors)
        logger.warning(SWITCHED_ON, ", ".join(sorted(uris)))
        result = await leave_as_found(context, self._state.config, inventory)
        if result.guests:
            logger.warning(LEFT_OFF, names([guest.name for guest in result.guests], most=30))
        return set(result.lost)

    def _context_of(self, uris: set[str]) -> Context:
        # Another configuration may have come while the run lock was waited for.
        configured = self._state.context.hypervisors
        hypervisors = {uri: configured[uri] for uri in uris & configured.keys()}
        return replace(self._state.context, hypervisors=hypervisors)

    async def _restore(self, trigger: Trigger, uris: set[str]) -> set[str]:
        """Connections that were lost.  A cancelled restore returns, with a result to tell."""
        state, context = self._state, self._context_of(uris)
        inventory = await read_all(context.hypervisors)
        # Flags are for boots: after a shutdown that was cancelled, those come back who ran.
        flags = self._autostart if trigger is Trigger.BOOT else ()
        result = await restore(context, state.config, trigger, inventory, autostart=flags)
        if result.interrupted:
            raise asyncio.CancelledError
        self._on_end()
        up = {guest.id for guest in inventory.guests if guest.up}
        self._late |= up & await self._asked_in_vain(noted_up=True)
        if LEDGER_LOST not in result.lost:
            return set(result.lost)
        self._autostart -= uris  # followed: who is down from now on may be meant to be
        return uris

    # Guests that follow a request after it was cancelled

    async def _see_to_late_ones(self) -> None:
        """A guest that was asked to go down may do so after that was cancelled: it comes back."""
        state = self._state
        end = asyncio.get_running_loop().time() + state.config.shutdown.deadline
        while self._late and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(LATE_POLL)
            inventory = await read_all(state.context.hypervisors)
            if any(guest.id in self._late and guest.down for guest in inventory.guests):
                self._late = set()  # made anew by the restore
                usable = self._connections.usable(self._connections.watches)
                await self._restore_some(Trigger.CANCELLED, usable)
            self._late &= await self._asked_in_vain(noted_up=True)
        await self._forgive()

    async def _asked_in_vain(self, *, noted_up: bool = False) -> set[GuestId]:
        """Guests whose last step was to take them down for the host, in this boot, and did not.

        noted_up: those as well that were found up since, and whose request had just timed out.
        """
        nobody: set[GuestId] = set()
        boot = self._state.boot

        def is_asked(record: GuestRecord) -> bool:
            tried = record.attempts
            is_ours = record.taken_down or (noted_up and attempts.may_be_followed(tried))
            return is_ours and record.hold is None and attempts.in_vain(tried)

        def ask(ledger: Ledger) -> set[GuestId]:
            return {record.id for record in ledger.guests(boot).values() if is_asked(record)}

        return await self._state.context.ledger(ask, nobody)

    async def _forgive(self) -> None:
        """Who is up by now goes down on somebody else's account."""
        inventory = await read_all(self._state.context.hypervisors)
        late, boot = self._late, self._state.boot
        stay = [g for g in inventory.guests if g.id in late and g.up and not g.saving]

        def write(ledger: Ledger) -> None:
            for guest in stay:
                ledger.note_up(guest, boot)

        await self._state.context.ledger(write, None)


async def trigger_of(context: Context, units_were_stopped: Callable[[], bool]) -> Trigger:
    """What the restore is for that is owed now: a boot, or a stop of the host that was cancelled
    while no service was there to see it.

    units_were_stopped: whether systemd has stopped units since a stop of the host last began: then
    the host has booted since, if only its userspace.
    """

    def ask(ledger: Ledger) -> bool:
        newest = ledger.runs.newest(1)
        return any(
            run.boot == context.boot and (run.kind, run.trigger) in _OF_A_STOP for run in newest
        )

    if units_were_stopped() or not await context.ledger(ask, False):
        return Trigger.BOOT
    return Trigger.CANCELLED


async def restore_at_boot(
    context: Context,
    config: Config,
    lock: RunLock,
    autostart: frozenset[str],
    ours: frozenset[str],
    units_were_stopped: Callable[[], bool],
) -> RunResult:
    """The restore of a boot in which the service could not be started.  Raises LockHeld.

    ours: connections of which guestctl is in charge since the host booted, and no others.
    units_were_stopped: see `trigger_of`.
    """
    mine = {uri: context.hypervisors[uri] for uri in context.hypervisors if uri in ours}
    context = replace(context, hypervisors=mine)
    async with lock.hold("guestctl, at boot", OPERATOR):
        inventory = await read_all_retrying(context.hypervisors, LIBVIRTD)
        for error in inventory.lost.values():
            context.tell(Trouble(str(error)))
        trigger = await trigger_of(context, units_were_stopped)
        flags = autostart if trigger is Trigger.BOOT else frozenset[str]()
        return await restore(context, config, trigger, inventory, autostart=flags)
