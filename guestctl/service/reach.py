"""Guests that run while nobody answers for them: said at once, and not waited for in vain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable

from ..model.ports import Daemons, HypervisorError, within
from ..model.report import names
from .connections import Connections
from .state import ServiceState
from .waiting import end_all

logger = logging.getLogger(__name__)

#: How often it is looked while a connection cannot be used; a daemon's restart is shorter.
LOOK = 5.0
#: How often it is looked whether somebody is left that could answer, as the host stops.
LAST_LOOK = 2.0
#: For systemd to answer.
LIMIT = 10.0


class OutOfReach:
    """Keeps state.out_of_reach: who runs on a connection that cannot be used, and says so."""

    def __init__(self, state: ServiceState, daemons: Daemons) -> None:
        self._state = state
        self._daemons = daemons
        self.connections: Connections | None = None

    async def work(self) -> None:
        """Never returns."""
        before: set[str] = set()
        while True:
            if not before:
                await self._some_trouble()
            await asyncio.sleep(LOOK)
            troubled = self._troubled()
            found = {uri: await self._guests(uri) for uri in sorted(troubled & before)}
            self._say({uri: guests for uri, guests in found.items() if guests})
            before = troubled

    async def _some_trouble(self) -> None:
        assert self.connections is not None
        await self.connections.until_trouble()

    def _troubled(self) -> set[str]:
        assert self.connections is not None
        uris = self.connections.watches.keys()
        return set(uris) - self.connections.usable(uris)

    async def _guests(self, uri: str) -> tuple[str, ...]:
        try:
            return await within(LIMIT, self._daemons.running_guests(uri))
        except HypervisorError:
            return self._state.out_of_reach.get(uri, ())

    def _say(self, found: dict[str, tuple[str, ...]]) -> None:
        for uri, guests in found.items():
            if guests != self._state.out_of_reach.get(uri):
                logger.error(f"{uri} cannot be reached, and guests run there: {out_of(guests)}")
        if found != self._state.out_of_reach:
            self._state.out_of_reach = found
            self._state.on_change()

    async def start_daemons(self) -> None:
        """As long as the host stops no units, a daemon that somebody stopped can be started.

        Only where guests run: nobody could take them to safety.
        """
        for uri in sorted(self._troubled()):
            with contextlib.suppress(HypervisorError):
                if await within(LIMIT, self._daemons.running_guests(uri)):
                    started = await within(LIMIT, self._daemons.start(uri))
                    if started:
                        text = f"guests run and the host goes down: {started} is started"
                        logger.warning(f"{uri} cannot be reached, {text}")


def out_of(guests: Iterable[str]) -> str:
    """Who cannot be saved, and what helps."""
    return f"{names(sorted(guests))}; nobody could save them: systemctl start libvirtd"


class LastLook:
    """As the host stops: connections on which nobody is left that could answer.

    is_final: whether systemd stops units by now; a daemon that is gone then is not started again.
    """

    def __init__(self, daemons: Daemons, is_final: Callable[[], bool]) -> None:
        self.gone: set[str] = set()
        self._daemons = daemons
        self._is_final = is_final

    @contextlib.asynccontextmanager
    async def keep_looking(self, uris: Iterable[str]) -> AsyncIterator[None]:
        """Have `gone` kept up to date meanwhile."""
        looking = asyncio.create_task(self._work(sorted(uris)))
        try:
            yield
        finally:
            await end_all([looking])

    async def _work(self, uris: Iterable[str]) -> None:
        while True:
            await self._look(uris)
            await asyncio.sleep(LAST_LOOK)

    async def _look(self, uris: Iterable[str]) -> None:
        if not self._is_final():
            return
        for uri in set(uris) - self.gone:
            with contextlib.suppress(HypervisorError):
                if await within(LIMIT, self._daemons.is_gone(uri)):
                    self.gone.add(uri)
                    await self._say(uri)

    async def _say(self, uri: str) -> None:
        guests = await within(LIMIT, self._daemons.running_guests(uri))
        if guests:
            logger.error(
                f"{uri}: no daemon of libvirt's is left, and none is started any more as the host"
                f" stops: these guests end without being saved: {names(guests)}"
            )
