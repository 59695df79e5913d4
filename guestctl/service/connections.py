"""The service's connections: a watch for each, who is up on them, and whether they can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..config.config import Config
from ..model.event import GuestEvent
from ..model.guest import GuestId
from ..model.ports import Hypervisor
from .state import ServiceState
from .waiting import end_all
from .watch import Told, Watch

#: Before anything that this process has seen; since when a guest is paused that was found so.
LONG_AGO = float("-inf")


class Connections:
    """Watches of the configured connections, by URI; `use` begins and ends them."""

    def __init__(
        self,
        state: ServiceState,
        connect: Callable[[str], Hypervisor],
        told: Told,
        away: float,
        on_heard: Callable[[GuestEvent], None],
        ran_before: frozenset[GuestId] = frozenset(),
    ) -> None:
        """connect makes the connection of a URI.  told: what is done about what watches see.

        away: for how many seconds no service had watched this host before.  on_heard: told of what
        libvirt tells of guests.  ran_before: who ran, by the last word of a service that ended just
        before.
        """
        self.watches: dict[str, Watch] = {}
        self._state = state
        self._connect = connect
        self._told = told._replace(on_change=self._on_change)
        self._on_change_too = told.on_change
        self._away = away
        self._on_heard = on_heard
        self._ran_before = ran_before
        #: When it began to follow guests, on the loop's clock.
        self._began = LONG_AGO
        self._following: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def use(self, config: Config) -> None:
        """From now on this configuration; connections that it has as well go on."""
        state, before = self._state, self._state.context.hypervisors
        if self._began == LONG_AGO:
            self._began = asyncio.get_running_loop().time()
        hypervisors = {uri: before.get(uri) or self._connect(uri) for uri in config.general.uris}
        state.config = config
        state.context = replace(state.context, hypervisors=hypervisors)
        for uri in before.keys() - hypervisors.keys():
            del self.watches[uri]
            leaving = asyncio.create_task(self._leave(self._following.pop(uri), before[uri]))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        for uri in hypervisors.keys() - before.keys():
            hypervisors[uri].listen(self._on_heard)
            self.watches[uri] = Watch(state, hypervisors[uri], self._told, away=self._away)
            self._following[uri] = asyncio.create_task(self.watches[uri].follow())
        self._on_change()

    async def _leave(self, following: asyncio.Task[None], hypervisor: Hypervisor) -> None:
        """A connection that is not configured any more, once no run uses it."""
        await end_all([following])
        await self._state.until_idle()
        await hypervisor.close()

    async def close(self) -> None:
        """Follow nobody any more."""
        await end_all([*self._following.values(), *self._leaving])

    def _on_change(self) -> None:
        self._changed.set()
        self._on_change_too()

    @property
    def up(self) -> frozenset[GuestId]:
        """Guests that would lose their memory with the host."""
        return frozenset(guest for watch in self.watches.values() for guest in watch.up)

    def ran(self, moment: float) -> frozenset[GuestId]:
        """Those of them that nobody had paused by then, a time on the loop's clock.

        Of who was found paused, or was not looked at yet, a service that began since then knows it
        by the last word of the one before.
        """
        since = {guest: at for watch in self.watches.values() for guest, at in watch.paused.items()}
        before = self._ran_before if self._began >= moment else frozenset()
        return frozenset(
            {guest for guest in self.up if since.get(guest, moment) >= moment}
            | {guest for guest in before if since.get(guest, LONG_AGO) == LONG_AGO}
        )

    @property
    def names_up(self) -> list[str]:
        """The same by name."""
        return [name for watch in self.watches.values() for name in watch.up.values()]

    def usable(self, uris: Iterable[str]) -> set[str]:
        """Those of these connections that can be used now."""
        return {uri for uri in uris if uri in self.watches and not self.watches[uri].trouble}

    async def until_usable(self, uris: set[str], *, all_of_them: bool) -> None:
        """Until one of these connections can be used, or all of them."""
        enough = all if all_of_them else any
        while not enough(uri in self.usable(uris) for uri in uris):
            self._changed.clear()
            await self._changed.wait()

    async def until_trouble(self) -> None:
        """Until one of them cannot be used."""
        while self.usable(self.watches) == self.watches.keys():
            self._changed.clear()
            await self._changed.wait()
