"""The service's objects on a private bus: real runs, on guests that are simulated, in real time."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from guestctl.config.config import Config
from guestctl.control.answers import Answer, Answers
from guestctl.control.interface import INTERFACES, NAME, ROOT
from guestctl.control.served import Opening
from guestctl.host.bus import Rule, SystemBus
from guestctl.host.bus_interface import PROPERTIES
from guestctl.model.guest import GuestId, State
from guestctl.model.history import Actor
from guestctl.model.overview import Row
from guestctl.service.bus_export import BusExport
from guestctl.service.bus_parts import Parts
from tests.sim.behaviour import GuestSpec
from tests.sim.service import ServedHost
from tests.sim.world import SimHost
from tests.unit.private_bus import PrivateBus, until

METHODS = {(table.name, row.name): row for table in INTERFACES for row in table.methods}
SIGNALS = {(table.name, row.name): row for table in INTERFACES for row in table.signals}


class StubAnswers(Answers):
    """What is read of guests, from the simulated libvirtd, without threads."""

    def __init__(self, host: ServedHost) -> None:
        super().__init__(Opening(None, tuple), lambda: True)
        self._host = host
        self.marked: list[tuple[Actor, str, tuple[Any, ...], str | None]] = []
        self.hangs = False
        self.asked = 0

    async def rows(self) -> Answer[list[Row]]:
        """Of each guest what `list` would have."""
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        daemon = self._host.sim.daemon("qemu:///system")
        return Answer([_row(daemon.uri, guest) for guest in daemon.guests.values()], ())

    async def mark(self, *asked: Any) -> Answer[list[tuple[str, str]]]:
        """Remembers who asked for what."""
        self.marked.append(asked)
        return Answer([("a", "held")], ())


def _row(uri: str, guest: Any) -> Row:
    up = guest.up
    state = State.RUNNING if up else State.SHUT_OFF
    rest = (
        None,
        None,
        None,
        None,
        None,
        None,
        False,
        None,
        None,
        None,
        None,
        None,
        None,
        "why",
        "",
    )
    return Row(guest.name, guest.uuid, uri, state, False, *rest)


class Caller:
    """A client of the service."""

    def __init__(self, bus: SystemBus) -> None:
        self.bus = bus
        self.heard: list[tuple[str, list[Any]]] = []

    async def ask(self, member: str, *arguments: Any, path: str = ROOT, of: str = "Manager") -> Any:
        """What a method returns."""
        interface = f"{NAME}.{of}"
        row = METHODS[interface, member]
        takes, returns = ("".join(it.signature for it in rows) for rows in (row.takes, row.returns))
        call = (NAME, path, interface, member, takes, arguments)
        return await self.bus.call(*call, returns=returns)

    async def values(self, path: str, of: str) -> dict[str, Any]:
        """All properties."""
        call = (NAME, path, PROPERTIES.name, "GetAll", "s", (f"{NAME}.{of}",))
        (found,) = await self.bus.call(*call, returns="a{sv}")
        values: dict[str, Any] = found
        return values

    async def hear(self, of: str, *members: str) -> None:
        """Subscribe, and have signals of that kind of object in `heard`."""
        for member in members:
            row = SIGNALS[f"{NAME}.{of}", member]
            signature = "".join(it.signature for it in row.arguments)
            rule = Rule(NAME, f"{NAME}.{of}", member, signature)
            await self.bus.subscribe(rule, self._put(member))
        await self.ask("Subscribe")

    async def hear_changes(self) -> None:
        """The same of PropertiesChanged of all objects."""
        rule = Rule(NAME, PROPERTIES.name, "PropertiesChanged", "sa{sv}as")
        await self.bus.subscribe(rule, self._put("PropertiesChanged"))
        await self.ask("Subscribe")

    def _put(self, member: str) -> Callable[[list[Any]], None]:
        return lambda body: self.heard.append((member, list(body)))

    def of(self, member: str) -> list[list[Any]]:
        """The bodies of these signals, as far as they have come."""
        return [body for name, body in self.heard if name == member]


class OnBus:
    """A served host, and its objects."""

    def __init__(self, host: ServedHost, export: BusExport, answers: StubAnswers) -> None:
        self.host, self.export, self.answers = host, export, answers

    @property
    def a(self) -> GuestId:
        """The guest a."""
        return self.guest("a")

    def guest(self, name: str) -> GuestId:
        """The guest of that name."""
        daemon = self.host.sim.daemon("qemu:///system")
        return GuestId(daemon.uri, daemon.named(name).uuid)


@contextlib.asynccontextmanager
async def on_bus(bus: PrivateBus, guests: Sequence[GuestSpec]) -> AsyncIterator[OnBus]:
    """The service, once its name is there and guests are followed."""
    with SimHost(list(guests)) as sim, tempfile.TemporaryDirectory() as folder:
        host = ServedHost(sim, Config(), Path(folder))
        host.start()
        answers, service = StubAnswers(host), host.service

        def said() -> dict[str, Any]:
            return {
                "activity": service.state.activity,
                "up": sorted(service.connections.names_up),
                "waiting": [],
                "logind": {"inhibitor": host.life.login.held},
                "configuration": {"source": "as in its files", "problems": []},
            }

        async def reload() -> list[str]:
            return ["[shutdown] deadline is 5, was 4"]

        parts = Parts(answers, service.asked, service.log, said, reload, lambda: True)
        export = BusExport(service.state, parts, lambda: None)
        service.connections._on_heard = export.news.heard
        running = asyncio.create_task(export.run())
        try:
            await until(lambda: export.problem == "" and bool(service.connections.up))
            yield OnBus(host, export, answers)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await host.terminate()


@contextlib.asynccontextmanager
async def caller(bus: PrivateBus) -> AsyncIterator[Caller]:
    """A client, gone in the end."""
    connection = await SystemBus.connect(bus.address)
    try:
        yield Caller(connection)
    finally:
        connection.close()
