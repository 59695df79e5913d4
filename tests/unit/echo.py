"""A service on a private bus that answers with what it was sent, and a client's connection."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from guestctl.host.bus import SystemBus
from guestctl.host.bus_values import Variant
from tests.unit.private_bus import FakeService, PrivateBus

NAME, PATH, INTERFACE = "org.example.Echo", "/org/example/Echo", "org.example.Echo"


@contextlib.asynccontextmanager
async def connected(bus: PrivateBus, **options: bool) -> AsyncIterator[SystemBus]:
    """A client's connection, closed in the end."""
    client = await SystemBus.connect(bus.address, **options)
    try:
        yield client
    finally:
        client.close()


@contextlib.asynccontextmanager
async def echo(bus: PrivateBus) -> AsyncIterator[FakeService]:
    """The service under its name, gone in the end."""
    service = FakeService(NAME, PATH, INTERFACE)
    service.methods["Echo"] = lambda body: ("s", [body[0]], [])
    service.methods["Deep"] = lambda _: (
        "a{sv}v",
        [{"a": Variant("v", Variant("i", 1))}, Variant("as", ["x"])],
        [],
    )
    service.properties["Level"] = Variant("u", 7)
    await service.connect(bus.address)
    try:
        yield service
    finally:
        service.leave()
