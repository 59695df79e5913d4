"""org.guestctl1 on the bus: its objects, who may do what with them, and the errors of calls."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..control.interface import GUEST, GUESTS, MANAGER, NAME, ROOT, RUN, RUNS, Needs
from ..control.requests import RequestError
from ..control.service_errors import name_of
from ..host.bus_callers import Caller
from ..host.bus_errors import CallError
from ..host.bus_interface import Interface, Method
from ..host.bus_server import BusServer
from ..host.polkit import may
from ..host.readers import may_read
from .bus_guests import Guests
from .bus_manager import Manager
from .bus_news import News
from .bus_parts import Parts
from .bus_paths import connection_of, guest_of, run_of
from .bus_run import Runs
from .state import ServiceState
from .status import interface_said

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Nodes on the way to objects, with the names of those below that do not come and go.
_NODES = {"/": ["org"], "/org": ["guestctl1"], GUESTS: [], RUNS: []}
_NOT_YET = "it has not come to the bus yet"


class BusExport:
    """The Exported of host/bus_objects.py, with its server; `run` is a chore that never returns."""

    def __init__(self, state: ServiceState, parts: Parts, on_change: Callable[[], None]) -> None:
        """on_change: what `problem` says has changed."""
        self._parts = parts
        self._on_change = on_change
        #: Why nobody can call; empty while they can.
        self.problem = _NOT_YET
        self._server = BusServer(NAME, self, self._trouble, on_named=self._named)
        self._runs = Runs(parts, self._server, self.say_changes)
        self._manager = Manager(parts, self._server, self._runs.current, self._begin_news)
        self._guests = Guests(parts, self._server, self._manager)
        #: What libvirt, and the ledger, tell of guests goes there.
        self.news = News(state, self._server, self._guests)

    async def run(self) -> None:
        """Be there until cancelled, whatever the bus does."""
        try:
            await self._server.run()
        finally:
            await self.news.end()

    def said(self) -> dict[str, Any]:
        """Whether it can be called, for what the service says of itself."""
        return interface_said(self.problem, is_to_be=self.problem != _NOT_YET)

    def say_changes(self) -> None:
        """The service's state may be another."""
        self._manager.say_changes()
        if self._server.has_subscribers:
            self.news.stir()

    def _begin_news(self) -> None:
        self.news.begin()

    def _named(self, is_named: bool) -> None:
        self.problem = "" if is_named else self.problem or "the connection to the bus has ended"
        self._on_change()

    def _trouble(self, text: str, error: BaseException | None) -> None:
        logger.log(logging.ERROR if error else logging.WARNING, text)
        if not self._server.is_named and text != self.problem:
            self.problem = text
            self._on_change()

    # What there is

    def interfaces(self, path: str) -> Sequence[Interface] | None:
        """See Exported."""
        if path == ROOT:
            return (MANAGER,)
        if guest_of(path) is not None:
            return (GUEST,)
        number = run_of(path)
        if number is not None:
            return (RUN,) if number in self._parts.log.runs else None
        return () if path in _NODES or connection_of(path) is not None else None

    async def children(self, caller: Caller, path: str) -> Sequence[str]:
        """See Exported."""
        if path == ROOT:
            return ["guest", "run"]
        if path in ("/", "/org"):
            return _NODES[path]
        await self.allow(caller, Needs.READ)
        if path == RUNS:
            return self._runs.children()
        if path == GUESTS:
            return await _answered(self._guests.connections())
        uri = connection_of(path)
        return await _answered(self._guests.of_connection(uri)) if uri is not None else []

    def needs(self, path: str, interface: Interface, method: Method) -> str:
        """See Exported."""
        number = run_of(path)
        return method.needs if number is None else self._runs.needs(number, method)

    async def allow(self, caller: Caller, needs: str) -> None:
        """See Exported; polkit is not started while the host goes down."""
        interactive, starts = caller.interactive, self._parts.host_stays()
        if needs == Needs.READ:
            answer = await may_read(caller.uid, caller.name, interactive=interactive, starts=starts)
        else:
            action = Needs(needs).action
            answer = await may(
                caller.uid, caller.name, action, interactive=interactive, starts=starts
            )
        if not answer.allowed:
            raise CallError(answer.error, answer.text)

    async def call(
        self,
        caller: Caller,
        path: str,
        interface: Interface,
        method: Method,
        arguments: Sequence[Any],
    ) -> Sequence[Any]:
        """See Exported."""
        try:
            return await _answered(self._call(caller, path, method.name, arguments))
        finally:
            if self.needs(path, interface, method) != Needs.READ:
                self.news.stir()  # it may have written beside the service's own ledger

    async def _call(
        self, caller: Caller, path: str, method: str, arguments: Sequence[Any]
    ) -> Sequence[Any]:
        if guest := guest_of(path):
            return await self._guests.call(caller, guest, method, arguments)
        if (number := run_of(path)) is None:
            return await self._manager.call(caller, method, arguments)
        return await self._runs.call(caller, number, method, arguments)

    async def properties(self, path: str, interface: Interface) -> Mapping[str, Any]:
        """See Exported."""
        if guest := guest_of(path):
            return await _answered(self._guests.properties(guest))
        if (number := run_of(path)) is not None:
            return self._runs.properties(number)
        return self._manager.properties()


async def _answered(call: Awaitable[T]) -> T:
    try:
        return await call
    except RequestError as error:
        raise CallError(name_of(error), str(error)) from error
