"""The service: takes the guests down when the host goes down, whatever triggers that, and brings
them back.

Nothing of what it knows is kept in memory alone: killed anywhere, the next process, or the
guard's, looks at facts and ledger and goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..config.config import Config
from ..model.event import GuestEvent
from ..model.guest import GuestId
from ..model.host_units import StopLimit
from ..model.ports import (
    Daemons,
    Hypervisor,
    Login,
    Mounts,
    Rival,
    RunLock,
)
from ..runs.context import Context
from .asked_runs import AskedRuns
from .boot import Restores
from .connections import Connections
from .host_stop import InForce, host_stop, is_paused_by_libvirt
from .late import LateGuests
from .mounts import KeepMounts
from .reach import LastLook, OutOfReach
from .restarts import Restarts
from .run_log import RunLog
from .settling import Settling
from .state import NO_RIVAL, Activity, ServiceState, nothing_new
from .stop_profile import Asked, StopByProfile
from .stop_timeout import StopTimeout
from .triggers import Triggers
from .unready import UnreadyGuests
from .waiting import end_all, first, give_way, keep_at
from .watch import Told

logger = logging.getLogger(__name__)

#: libvirt's daemon may hear of the host's end so many seconds sooner than we do.
SOONER = 5.0


async def pauses_nobody() -> bool:
    """libvirt's own auto-shutdown is off."""
    return False


async def never_forced(_kind: str) -> StopLimit | None:
    """Nobody tells after how long a stop of the host is forced."""
    return None


def keeps_nothing(_ends: float | None) -> None:
    """Nobody else is to know by when the host's stop is to be through."""


@dataclass(frozen=True)
class Surroundings:
    """What the service is built from.

    connect makes the connection of a URI.
    lock: one run at a time.
    daemons: libvirt's, for a connection that cannot be used.
    mounts: what must outlive us; paths: what else is needed to the end, beside guests' own.
    autostart: connections whose autostart is ours in this boot.
    ours: connections of which guestctl is in charge since the host booted; None for all.
    on_change: called when there may be news for a status.
    away: for how many seconds no service had watched this host before.
    refresh: called as a run begins; has Service.use called where there is another configuration.
    rival: who else may have taken guests down.
    stop_limit: after how long systemd forces a stop of this kind; None where nobody answers.
    pauses_guests: whether libvirt itself pauses all guests as the host goes down.
    log: what runs have told.  problems: mistakes in the configuration's files.
    keep_stop_deadline: told by when a person wants the host's stop to be through.
    on_heard: told of what libvirt tells of guests.
    ran_before: who ran, by the last word of a service that ended just before.
    stop_begins: called as the host begins to go down.  units_were_stopped: whether systemd has
    stopped units since it last was; without that a stop has come to nothing.
    """

    context: Context
    connect: Callable[[str], Hypervisor]
    login: Login
    triggers: Triggers
    stop_timeout: StopTimeout
    lock: RunLock
    daemons: Daemons
    mounts: Mounts
    paths: tuple[str, ...]
    autostart: frozenset[str]
    on_change: Callable[[], None]
    away: float = float("inf")
    refresh: Callable[[], Awaitable[None]] = nothing_new
    ours: frozenset[str] | None = None
    rival: Rival = NO_RIVAL
    stop_limit: Callable[[str], Awaitable[StopLimit | None]] = never_forced
    pauses_guests: Callable[[], Awaitable[bool]] = pauses_nobody
    log: RunLog = field(default_factory=RunLog)
    problems: Callable[[], Sequence[str]] = tuple
    keep_stop_deadline: Callable[[float | None], None] = keeps_nothing
    on_heard: Callable[[GuestEvent], None] = lambda _: None
    ran_before: frozenset[GuestId] = frozenset()
    stop_begins: Callable[[], None] = lambda: None
    units_were_stopped: Callable[[], bool] = lambda: True


class Service:
    """Serves until the host has been taken down, or SIGTERM comes while the host stays up."""

    def __init__(self, surroundings: Surroundings, config: Config) -> None:
        it = surroundings
        self._login, self._triggers, self._stop_timeout = it.login, it.triggers, it.stop_timeout
        self._pauses_guests, self._stop_begins = it.pauses_guests, it.stop_begins
        self._stop_asked = Asked(it.triggers.find_kind, it.stop_limit)
        #: Who ran as the host began to go down.
        self._ran: frozenset[GuestId] = frozenset()
        self._on_change_too = it.on_change
        checkpoint = it.triggers.checkpoint
        context = replace(it.context, hypervisors={}, checkpoint=checkpoint, tries_later=True)
        self.state = ServiceState(
            context, config, it.lock, self._on_change, it.refresh, it.ours, it.rival
        )
        self.log = it.log
        self.asked = AskedRuns(
            self.state, it.log, it.stop_timeout, it.problems, it.keep_stop_deadline
        )
        self._settling = Settling(self.state)
        self._restarts = Restarts(self.state, it.triggers.until_host_stays)
        stays, autostart = it.triggers.until_host_stays, it.autostart
        self.late = LateGuests(self.state, stays, autostart)
        self.asked.on_end = self.late.look
        self._unready = UnreadyGuests(self.state, self.late.stirred)
        told = Told(self._on_change, self._settling.begin, self._restarts.add, self.late.stirred)
        self.connections = Connections(
            self.state, it.connect, told, it.away, it.on_heard, it.ran_before
        )
        self._last_look = LastLook(it.daemons, lambda: it.triggers.is_terminated)
        self._out_of_reach = OutOfReach(self.state, it.daemons)
        self._out_of_reach.connections = self.connections
        self._mounts = it.mounts
        self._keep_mounts = KeepMounts(self.state, it.mounts, it.paths)
        self._keep_mounts.connections = self.connections
        self._restarts.connections = self.late.connections = self.connections
        self._restores = Restores(
            self.state, self.connections, stays, autostart, self.late.look, it.units_were_stopped
        )

    async def serve(self) -> None:
        """See the class."""
        self.use(self.state.config)
        boot = self.state.boot
        works = (self._out_of_reach.work, self._keep_mounts.work)
        chores = [asyncio.create_task(keep_at(work)) for work in works]
        try:
            await self.state.context.ledger(lambda ledger: ledger.watches.begin(boot), None)
            await self._settling.take_up()
            await self._serve()
        finally:
            for chore in chores:
                chore.cancel()
            await self.asked.end()
            await self.connections.close()
            if not self._settling.host_goes_down:
                await self.state.context.ledger(lambda ledger: ledger.watches.end(boot), None)
            await self._settling.close()
            await end_all(chores)

    def use(self, config: Config) -> None:
        """From now on this configuration."""
        self.connections.use(config)

    async def _serve(self) -> None:
        starting = [await self._restores.begin_owed(), *self._starters()]
        try:
            while await self._triggers.next():
                await _all_give_way(starting)
                if not await self._go_down():
                    return
                await self._settling.take_back()
                starting = [self._restores.begin_after_cancel(), *self._starters()]
        finally:
            await _all_give_way(starting)

    def _starters(self) -> list[asyncio.Task[None]]:
        """What starts guests as long as the host stays up."""
        works = (self._restarts.work(), self.late.work(), keep_at(self._unready.work))
        return [asyncio.create_task(work) for work in works]

    def _on_change(self) -> None:
        """An inhibitor is held while there is a guest to be taken to safety."""
        activity = self.state.activity
        up = self.connections.up or self.state.out_of_reach
        busy = bool(up) or activity is Activity.PRESERVING
        self._login.inhibit(busy and activity is not Activity.DOWN)
        self._on_change_too()

    @property
    def ran(self) -> frozenset[GuestId] | None:
        """Who is up, and not paused; once the host goes down, who was so as that began.

        None while that is not known: a connection cannot be used.
        """
        if self._settling.host_goes_down:
            return self._ran
        uris = self.connections.watches.keys()
        if not uris or self.connections.usable(uris) != uris:
            return None
        return self.connections.ran(asyncio.get_running_loop().time())

    # Down

    async def _go_down(self) -> bool:
        """Take everybody to safety; True when the shutdown was cancelled after all."""
        self._host_goes_down(True)
        self._stop_begins()
        self.asked.host_goes_down()
        self._ran = self.connections.ran(asyncio.get_running_loop().time() - SOONER)
        self.state.becomes(Activity.PRESERVING)
        cancelled = asyncio.create_task(self._triggers.until_cancelled())
        preserving = asyncio.create_task(self._preserve())
        try:
            await asyncio.wait({preserving, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            if not cancelled.done():
                preserving.result()
                await self._wait_for_the_end(cancelled)
            self._host_goes_down(not cancelled.done())
        finally:
            await end_all([cancelled])
            await give_way(preserving)
            down = self._settling.host_goes_down
            self.state.becomes(Activity.DOWN if down else Activity.WATCHING)
        if not down:
            logger.info("the shutdown was cancelled: guests are brought back")
        return not down

    def _host_goes_down(self, it_does: bool) -> None:
        self._settling.host_goes_down = it_does
        self._restarts.host_goes_down = it_does

    async def _wait_for_the_end(self, cancelled: asyncio.Task[None]) -> None:
        """The guests are down: let the host go on, and look once more when it stops units."""
        late = not self._triggers.is_terminated
        self.state.becomes(Activity.DOWN)
        await first(asyncio.wait([cancelled]), self._triggers.until_terminated())
        if late and not cancelled.done() and self.connections.up:
            self.state.becomes(Activity.PRESERVING)
            await self._preserve()

    async def _preserve(self) -> None:
        await self.state.refresh()
        starting = [] if self._triggers.is_terminated else [self._out_of_reach.start_daemons()]
        tasks = [asyncio.create_task(work) for work in starting]
        try:
            await self._stop_by_profile().carry_out()
        finally:
            await end_all(tasks)

    def _stop_by_profile(self) -> StopByProfile:
        config, begun = self.state.config, asyncio.get_running_loop().time()
        return StopByProfile(self._triggers, config, self._stop_asked, self._host_stop, begun)

    async def _host_stop(self, by: InForce) -> None:
        state, up = self.state, self.connections.up
        ran = self._ran if await is_paused_by_libvirt(self._pauses_guests) else frozenset()
        await host_stop(
            replace(state.context, ran=ran),
            by,
            self._stop_timeout,
            state.lock,
            self._last_look,
            self._mounts,
            up,
        )


async def _all_give_way(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """A fault in one of them must not keep guests from being taken to safety."""
    for task in tasks:
        try:
            await give_way(task)
        except Exception as error:  # noqa: BLE001 - said; the host goes down
            logger.error(f"internal error, in what starts guests: {error!r}")
