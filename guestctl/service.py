"""The daemon: follows the guests, and takes them through every door by which the host goes down.

Nothing of what it knows is kept in memory alone: killed anywhere, the next process, or the
guard's, looks at facts and ledger and goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from . import journal, settling
from .config import Config
from .doors import Announcer, Doors
from .hoststop import PATIENCE, HostStop, tell
from .model import Door, Known
from .patience import Patience
from .ports import Hypervisor
from .restore import restore
from .runlock import LockHeld, is_held, run_lock_of_service
from .waiting import first
from .watch import Watch
from .world import World, read_all_patiently

#: How long all connections are waited for at boot, before those that are there are begun with.
ALL_THERE = 60.0
#: How long a run of an operator is waited for at boot.
OPERATOR_AT_BOOT = 1800.0


class Login(Announcer, Protocol):
    """What the service needs of logind."""

    def hold(self, wanted: bool) -> None:
        """Have an inhibitor that delays the host's shutdown held, or let go of."""


@dataclass(frozen=True)
class Surroundings:
    """What the service is built from; state is the folder of the ledger and of the run lock.

    hypervisors makes the connections that a configuration names.
    autostart: connections whose autostart is ours in this boot.
    """

    world: World
    hypervisors: Callable[[Config], Mapping[str, Hypervisor]]
    login: Login
    doors: Doors
    patience: Patience
    state: Path
    autostart: frozenset[str]
    on_change: Callable[[], None]


class Service:
    """Serves until the host has been taken down, or SIGTERM comes while the host stays up."""

    def __init__(self, surroundings: Surroundings, config: Config) -> None:
        self._surroundings = surroundings
        self._login = surroundings.login
        self._doors = surroundings.doors
        self._patience = surroundings.patience
        self._config = config
        self._world = replace(surroundings.world, gate=self._doors.gate)
        self.watches: dict[str, Watch] = {}
        self._following: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._timers: set[asyncio.Task[None]] = set()
        #: What is going on, for the status.
        self.activity = "watching"

    async def serve(self) -> None:
        """See the class."""
        self.use(self._config)
        await self._take_up_settling()
        try:
            await self._serve()
        finally:
            await self._end()

    async def _serve(self) -> None:
        restoring = await self._owed_restore()
        while await self._doors.next():
            await _give_way(restoring)
            if not await self._go_down():
                return
            restoring = asyncio.create_task(self._restore(Door.CANCELLED))
        await _give_way(restoring)

    async def _end(self) -> None:
        for task in (self._following, *self._timers):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    # Configuration and connections

    def use(self, config: Config) -> None:
        """From now on this configuration; connections are made anew where they differ."""
        self._config = config
        hypervisors = self._world.hypervisors
        if self._following is not None and tuple(hypervisors) == tuple(config.general.uris):
            return
        if self._following is not None:
            self._following.cancel()
        hypervisors = self._surroundings.hypervisors(config)
        self._world = replace(self._world, hypervisors=hypervisors)
        self.watches = {uri: self._watch(one) for uri, one in hypervisors.items()}
        self._following = asyncio.create_task(self._follow(tuple(self.watches.values())))

    def _watch(self, hypervisor: Hypervisor) -> Watch:
        return Watch(
            self._world,
            hypervisor,
            is_run_under_way=lambda: is_held(self._surroundings.state),
            on_change=self._on_change,
            on_stop=self._on_stop,
        )

    async def _follow(self, watches: Iterable[Watch]) -> None:
        async with asyncio.TaskGroup() as group:
            for watch in watches:
                group.create_task(watch.follow())

    def _on_change(self) -> None:
        self._changed.set()
        self._inhibit()
        self._surroundings.on_change()

    def _inhibit(self) -> None:
        """An inhibitor is held while there is a guest to be taken to safety."""
        busy = self._somebody_is_up or self.activity == "preserving"
        self._login.hold(busy and self.activity != "down")

    @property
    def _somebody_is_up(self) -> bool:
        return any(watch.up for watch in self.watches.values())

    def _does(self, activity: str) -> None:
        self.activity = activity
        self._on_change()

    # Stops that settle

    async def _take_up_settling(self) -> None:
        nobody: list[Known] = []
        boot = self._world.boot
        for known in await self._world.scribe(lambda ledger: ledger.unsettled(boot), nobody):
            self._on_stop(known)

    def _on_stop(self, known: Known) -> None:
        journal.log(
            f"{known.name}: turned off by {known.stopped_by}",
            guest=known.name,
            uuid=known.id.uuid,
            uri=known.id.uri,
            reason="wanted off, unless the host goes down within [shutdown] settle",
        )
        task = asyncio.create_task(self._settle(known))
        self._timers.add(task)
        task.add_done_callback(self._timers.discard)

    async def _settle(self, known: Known) -> None:
        limit = self._config.shutdown.settle
        await asyncio.sleep(settling.remaining(known, limit, self._world.clock()))
        await self._world.scribe(lambda ledger: settling.host_stayed_up(ledger, known), None)

    # Down

    async def _go_down(self) -> bool:
        """Take everybody to safety; True when the shutdown was called off after all."""
        self._does("preserving")
        called_off = asyncio.create_task(self._doors.until_called_off())
        preserving = asyncio.create_task(self._preserve())
        try:
            await asyncio.wait({preserving, called_off}, return_when=asyncio.FIRST_COMPLETED)
            if not called_off.done():
                preserving.result()
                await self._wait_for_the_end(called_off)
            if called_off.done():
                await _give_way(preserving)
                journal.log("the shutdown was called off: guests are brought back")
            return called_off.done()
        finally:
            called_off.cancel()
            self._does("watching" if called_off.done() else "down")

    async def _wait_for_the_end(self, called_off: asyncio.Task[None]) -> None:
        """The guests are down: let the host go on, and look once more when it stops units."""
        late = not self._doors.is_terminated
        self._does("down")
        await first(asyncio.wait([called_off]), self._doors.until_terminated())
        if late and not called_off.done() and self._somebody_is_up:
            await self._preserve()

    async def _preserve(self) -> None:
        patience = PATIENCE if self._somebody_is_up else 0.0
        run = HostStop(self._world, self._config, self._patience, patience)
        tell(await run.under_lock(self._surroundings.state, "the service: preserve"))

    # Up

    async def _owed_restore(self) -> asyncio.Task[None] | None:
        boot = self._world.boot
        done = await self._world.scribe(lambda ledger: ledger.restored_since_preserve(boot), False)
        return None if done else asyncio.create_task(self._restore(Door.BOOT))

    async def _restore(self, door: Door) -> None:
        try:
            await self._restore_all(door)
        except Exception as error:  # noqa: BLE001 - the host must still be able to go down well
            text = f"internal error, guests are not brought back: {error!r}"
            journal.log(text, priority=journal.Priority.ERROR)

    async def _restore_all(self, door: Door) -> None:
        """At first with the connections that are there, then with late ones."""
        owed = set(self.watches)
        await first(asyncio.sleep(ALL_THERE), self._until_connected(owed, everyone=True))
        while owed:
            await self._until_connected(owed, everyone=False)
            owed -= await self._restore_some(door, self._connected(owed))

    def _connected(self, uris: Iterable[str]) -> set[str]:
        return {uri for uri in uris if uri in self.watches and not self.watches[uri].trouble}

    async def _until_connected(self, uris: set[str], *, everyone: bool) -> None:
        """Until everyone, or somebody, of these connections can be used."""
        enough = all if everyone else any
        while not enough(uri in self._connected(uris) for uri in uris):
            self._changed.clear()
            await self._changed.wait()

    async def _restore_some(self, door: Door, uris: set[str]) -> set[str]:
        """Those that need no further restore."""
        hypervisors = {uri: self._world.hypervisors[uri] for uri in uris}
        world = replace(self._world, hypervisors=hypervisors)
        self._does("bringing guests back")
        try:
            async with run_lock_of_service(
                self._surroundings.state,
                "the service: restore",
                journal.warn,
                patience=OPERATOR_AT_BOOT,
                ask=False,
            ):
                seen = await read_all_patiently(hypervisors, 0.0)
                autostart = self._surroundings.autostart
                tell(await restore(world, self._config, door, seen, autostart=autostart))
        except LockHeld as error:
            journal.log(f"cannot bring guests back: {error}", priority=journal.Priority.ERROR)
            return set()
        finally:
            self._does("watching")
        return uris - seen.lost.keys()


async def _give_way(task: asyncio.Task[None] | None) -> None:
    """End a run; what libvirt is busy with goes on, and the next run finds it."""
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
