"""The daemon: follows the guests, and takes them through every trigger by which the host goes down.

Nothing of what it knows is kept in memory alone: killed anywhere, the next process, or the
guard's, looks at facts and ledger and goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..config.config import Config
from ..decisions.policy import resolve
from ..host.locks import LockHeld, is_held, run_lock_of_service
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.options import UserAction
from ..model.plan import Outcome
from ..model.ports import Hypervisor
from ..model.record import GuestRecord, Wanted
from ..model.result import Trigger
from ..runs.context import Context, read_all, read_all_retrying
from ..runs.restore import restore
from . import settling
from .host_stop import host_stop, tell
from .log_fields import REASON, of_guest
from .restarts import Restarts
from .stop_timeout import StopTimeout
from .triggers import Announcer, Triggers
from .waiting import first
from .watch import Audience, Watch

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long all connections are waited for at boot, before those that are there are begun with.
ALL_THERE = 60.0
#: How long a run of an operator is waited for at boot.
OPERATOR_AT_BOOT = 1800.0
#: Until a connection that could be used, and then could not be read, is tried again.
RESTORE_AGAIN = 5.0
#: How often it is looked whether a guest follows a request that was cancelled.
LATE_POLL = 2.0
#: Until a stop that could not be written down as meant is tried again.
SETTLE_AGAIN = 60.0


class Login(Announcer, Protocol):
    """What the service needs of logind."""

    def inhibit(self, wanted: bool) -> None:
        """Have an inhibitor that delays the host's shutdown held, or let go of."""


@dataclass(frozen=True)
class Surroundings:
    """What the service is built from; state is the folder of the ledger and of the run lock.

    connect makes the connection of a URI.
    autostart: connections whose autostart is ours in this boot.
    away: for how many seconds no service had watched this host before.
    """

    context: Context
    connect: Callable[[str], Hypervisor]
    login: Login
    triggers: Triggers
    patience: StopTimeout
    state: Path
    autostart: frozenset[str]
    on_change: Callable[[], None]
    away: float = float("inf")


class Service:
    """Serves until the host has been taken down, or SIGTERM comes while the host stays up."""

    def __init__(self, surroundings: Surroundings, config: Config) -> None:
        self._surroundings = surroundings
        self._login = surroundings.login
        self._triggers = surroundings.triggers
        self._patience = surroundings.patience
        self._config = config
        self._context = replace(surroundings.context, checkpoint=self._triggers.checkpoint)
        self.watches: dict[str, Watch] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._chores: set[asyncio.Task[None]] = set()
        self._goes_down = False
        self._restarts = Restarts(self._start_again)
        self._one_run = asyncio.Lock()
        #: Who was up when guests were brought back, and may still go down on our account.
        self._late: set[GuestId] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        #: What is going on, for the status.
        self.activity = "watching"

    async def serve(self) -> None:
        """See the class."""
        self.use(self._config)
        try:
            await self._take_up_settling()
            await self._serve()
        finally:
            await _end_all([*self._following.values(), *self._chores])

    async def _serve(self) -> None:
        restoring = await self._owed_restore()
        restarting = asyncio.create_task(self._restarts.work())
        try:
            while await self._triggers.next():
                await _give_way(restarting)
                await _give_way(restoring)
                if not await self._go_down():
                    return
                await self._take_back_settling()
                restoring = asyncio.create_task(
                    self._restore(Trigger.CANCELLED, self.watches.keys())
                )
                restarting = asyncio.create_task(self._restarts.work())
        finally:
            await _give_way(restarting)
            await _give_way(restoring)

    def _do(self, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    # Configuration and connections

    def use(self, config: Config) -> None:
        """From now on this configuration; connections that it has as well go on."""
        self._config = config
        before, connect = self._context.hypervisors, self._surroundings.connect
        hypervisors = {uri: before.get(uri) or connect(uri) for uri in config.general.uris}
        self._context = replace(self._context, hypervisors=hypervisors)
        for uri in before.keys() - hypervisors.keys():
            del self.watches[uri]
            self._do(self._let_go(self._following.pop(uri), before[uri]))
        for uri in hypervisors.keys() - before.keys():
            self.watches[uri] = self._watch(hypervisors[uri])
            self._following[uri] = asyncio.create_task(self.watches[uri].follow())
        self._on_change()

    async def _let_go(self, following: asyncio.Task[None], hypervisor: Hypervisor) -> None:
        """Of a connection that is not configured any more, once no run uses it."""
        await _end_all([following])
        await self._idle.wait()
        await hypervisor.close()

    def _watch(self, hypervisor: Hypervisor) -> Watch:
        return Watch(
            self._context,
            hypervisor,
            Audience(self._on_change, self._on_stop, self._on_owed),
            lambda guest: resolve(self._config, guest),
            is_run_under_way=self._is_run_under_way,
            away=self._surroundings.away,
        )

    @property
    def _is_at_work(self) -> bool:
        return self.activity in ("preserving", "bringing guests back")

    def _is_run_under_way(self) -> bool:
        """Of ours, which the lock need not tell where there can be none, or of somebody else."""
        return self._is_at_work or is_held(self._surroundings.state)

    def _on_change(self) -> None:
        self._changed.set()
        self._inhibit()
        self._surroundings.on_change()

    def _inhibit(self) -> None:
        """An inhibitor is held while there is a guest to be taken to safety."""
        busy = bool(self._up) or self.activity == "preserving"
        self._login.inhibit(busy and self.activity != "down")

    @property
    def _up(self) -> frozenset[GuestId]:
        return frozenset(guest for watch in self.watches.values() for guest in watch.up)

    def _does(self, activity: str) -> None:
        self.activity = activity
        if self._is_at_work:
            self._idle.clear()
        else:
            self._idle.set()
        self._on_change()

    # Stops that settle

    async def _take_up_settling(self) -> None:
        nobody: list[GuestRecord] = []
        boot = self._context.boot
        for known in await self._context.ledger(lambda ledger: ledger.unsettled(boot), nobody):
            self._on_stop(known)

    async def _take_back_settling(self) -> None:
        """The host did not go down after all: stops of before are somebody's again."""
        boot = self._context.boot
        await self._context.ledger(
            lambda ledger: settling.host_stays_up_after_all(ledger, boot), None
        )
        await self._take_up_settling()

    def _on_stop(self, known: GuestRecord) -> None:
        _say_stopped(known, "wanted off, unless the host goes down within [shutdown] settle")
        self._do(self._settle(known))

    def _on_owed(self, known: GuestRecord) -> None:
        if not self._goes_down:
            pause = self._restarts.owe(known.id)
            _say_stopped(known, f"it is started again in {pause:g} s, as policy says")

    async def _settle(self, known: GuestRecord) -> None:
        limit = self._config.shutdown.settle
        if not self._goes_down:
            await asyncio.sleep(settling.remaining(known, limit, self._context.clock()))
        while True:
            if await self._context.ledger(partial(self._write_settled, known), False):
                return
            await asyncio.sleep(SETTLE_AGAIN)

    def _write_settled(self, known: GuestRecord, ledger: Ledger) -> bool:
        if self._goes_down:
            settling.host_goes_down(ledger, self._context.boot)
        else:
            settling.host_stayed_up(ledger, known)
        return True

    # Down

    async def _go_down(self) -> bool:
        """Take everybody to safety; True when the shutdown was cancelled after all."""
        self._goes_down = True
        self._does("preserving")
        cancelled = asyncio.create_task(self._triggers.until_cancelled())
        preserving = asyncio.create_task(self._preserve())
        try:
            await asyncio.wait({preserving, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            if not cancelled.done():
                preserving.result()
                await self._wait_for_the_end(cancelled)
            self._goes_down = not cancelled.done()
        finally:
            await _end_all([cancelled])
            await _give_way(preserving)
            self._does("down" if self._goes_down else "watching")
        if not self._goes_down:
            logger.info("the shutdown was cancelled: guests are brought back")
        return not self._goes_down

    async def _wait_for_the_end(self, cancelled: asyncio.Task[None]) -> None:
        """The guests are down: let the host go on, and look once more when it stops units."""
        late = not self._triggers.is_terminated
        self._does("down")
        await first(asyncio.wait([cancelled]), self._triggers.until_terminated())
        if late and not cancelled.done() and self._up:
            self._does("preserving")
            await self._preserve()

    async def _preserve(self) -> None:
        run = await host_stop(self._context, self._config, self._patience, self._up)
        tell(await run.under_lock(self._surroundings.state, "the service: preserve"))

    # Up

    async def _owed_restore(self) -> asyncio.Task[None] | None:
        boot = self._context.boot
        nothing: frozenset[str] = frozenset()
        done = await self._context.ledger(
            lambda ledger: ledger.restored_since_preserve(boot), nothing
        )
        if owed := self.watches.keys() - done:
            return asyncio.create_task(self._restore(Trigger.BOOT, owed))
        if await self._asked_in_vain():  # a shutdown was cancelled, and the service then killed
            return asyncio.create_task(self._restore(Trigger.CANCELLED, self.watches.keys()))
        return None

    async def _restore(self, trigger: Trigger, uris: Iterable[str]) -> None:
        try:
            await self._restore_all(trigger, set(uris))
            await self._see_to_late_ones()
        except Exception as error:  # noqa: BLE001 - the host must still be able to go down well
            text = f"internal error, guests are not brought back: {error!r}"
            logger.error(text)

    async def _restore_all(self, trigger: Trigger, owed: set[str]) -> None:
        """At first with the connections that are there, then with late ones."""
        await self._triggers.until_host_stays()
        await first(asyncio.sleep(ALL_THERE), self._until_connected(owed, everyone=True))
        while owed:
            await self._until_connected(owed, everyone=False)
            there = self._connected(owed)
            lost = await self._restore_some(trigger, there)
            owed = (owed - there) | lost
            if lost:
                await asyncio.sleep(RESTORE_AGAIN)

    async def _see_to_late_ones(self) -> None:
        """A guest that was asked to go down may do so after that was cancelled: it comes back."""
        end = asyncio.get_running_loop().time() + self._config.shutdown.deadline
        while self._late and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(LATE_POLL)
            seen = await read_all(self._context.hypervisors)
            if any(guest.id in self._late and guest.down for guest in seen.guests):
                self._late = set()  # made anew by the restore
                await self._restore_some(Trigger.CANCELLED, self._connected(self.watches))
            self._late &= await self._asked_in_vain()
        await self._forgive()

    async def _asked_in_vain(self) -> set[GuestId]:
        nobody: set[GuestId] = set()
        boot = self._context.boot
        return await self._context.ledger(lambda ledger: ledger.asked_in_vain(boot), nobody)

    async def _forgive(self) -> None:
        """Who is up by now goes down on somebody else's account."""
        seen = await read_all(self._context.hypervisors)
        stay = [g for g in seen.guests if g.id in self._late and g.up and not g.saving]

        def write(ledger: Ledger) -> None:
            for guest in stay:
                ledger.seen_up(guest, self._context.boot)

        await self._context.ledger(write, None)

    def _connected(self, uris: Iterable[str]) -> set[str]:
        return {uri for uri in uris if uri in self.watches and not self.watches[uri].trouble}

    async def _until_connected(self, uris: set[str], *, everyone: bool) -> None:
        """Until everyone, or somebody, of these connections can be used."""
        enough = all if everyone else any
        while not enough(uri in self._connected(uris) for uri in uris):
            self._changed.clear()
            await self._changed.wait()

    async def _restore_some(self, trigger: Trigger, uris: set[str]) -> set[str]:
        """Those that need another restore."""
        lost = await self._bring_up(partial(self._restore_under_lock, trigger, uris))
        return uris if lost is None else uris & lost

    async def _bring_up(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Work under the run lock; None where another run did not give it up in half an hour."""
        async with self._one_run:
            self._does("bringing guests back")
            try:
                async with run_lock_of_service(
                    self._surroundings.state,
                    "the service: restore",
                    logger.warning,
                    timeout=OPERATOR_AT_BOOT,
                    ask=False,
                ):
                    return await work()
            except LockHeld as error:
                text = f"cannot bring guests back: {error}"
                logger.error(text)
                return None
            finally:
                self._does("watching")

    async def _restore_under_lock(self, trigger: Trigger, uris: set[str]) -> set[str]:
        """Connections that were lost.  A cancelled restore returns, with a result to tell."""
        hypervisors = {uri: self._context.hypervisors[uri] for uri in uris}
        context = replace(self._context, hypervisors=hypervisors)
        seen = await read_all_retrying(hypervisors, 0.0)
        # Flags are for boots: after a shutdown that was cancelled, those come back who ran.
        autostart = self._surroundings.autostart if trigger is Trigger.BOOT else ()
        result = await restore(context, self._config, trigger, seen, autostart=autostart)
        tell(result)
        if result.interrupted:
            raise asyncio.CancelledError
        self._late |= {guest.id for guest in seen.guests if guest.up} & await self._asked_in_vain()
        return set(result.lost)

    # Up again, after their users shut them down

    async def _start_again(self, guests: set[GuestId]) -> None:
        await self._triggers.until_host_stays()
        there = {guest for guest in guests if guest.uri in self._connected(self.watches)}
        try:
            again = await self._bring_up(partial(self._start_again_under_lock, there))
        except Exception as error:  # noqa: BLE001 - the host must still be able to go down well
            text = f"internal error, guests are not started again: {error!r}"
            logger.error(text)
            again = None
        for guest in there if again is None else again:
            self._restarts.owe(guest)

    async def _start_again_under_lock(self, guests: set[GuestId]) -> set[GuestId]:
        """Those that are to be tried once more.

        Somebody may have decided otherwise meanwhile, or started them.
        """
        nothing: dict[GuestId, GuestRecord] = {}
        known = await self._context.ledger(Ledger.guests, nothing)
        wanted = {g for g in guests if g in known and known[g].wanted is Wanted.ON}
        uris = {guest.uri for guest in wanted} & self._context.hypervisors.keys()
        hypervisors = {uri: self._context.hypervisors[uri] for uri in uris}
        context = replace(self._context, hypervisors=hypervisors)
        seen = await read_all_retrying(hypervisors, 0.0)
        down = (guest for guest in seen.guests if guest.id in wanted and guest.down)
        named = frozenset(guest.id for guest in down if self._is_restarted(guest))
        unread = {guest for guest in wanted if guest.uri in seen.lost}
        if not named:
            return unread
        result = await restore(context, self._config, Trigger.USER_SHUTDOWN, seen, named)
        tell(result)
        if result.interrupted:
            raise asyncio.CancelledError
        again = (Outcome.FAILED, Outcome.UNKNOWN)
        return unread | {guest.guest for guest in result.guests if guest.outcome in again}

    def _is_restarted(self, guest: GuestFacts) -> bool:
        return resolve(self._config, guest).user_shutdown.action is UserAction.RESTART


def _say_stopped(known: GuestRecord, reason: str) -> None:
    about = of_guest(known.name, known.id) | {REASON: reason}
    logger.info(f"{known.name}: stopped by {known.stopped_by}", extra=about)


async def _give_way(task: asyncio.Task[None] | None) -> None:
    """End a run; what libvirt is busy with goes on, and the next run finds it."""
    if task is not None:
        await _end_all([task])
        if not task.cancelled():
            task.result()


async def _end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
