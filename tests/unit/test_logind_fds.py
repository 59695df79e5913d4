"""Descriptors that strangers send to who follows logind: the bus refuses them."""

from __future__ import annotations

import socket

from guestctl.host.bus import DRIVER, DRIVER_PATH
from guestctl.host.bus_messages import SIGNAL
from tests.unit.echo import connected
from tests.unit.exporting import Raw, raw
from tests.unit.marshalled import encode
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async
from tests.unit.test_logind import fake_logind, running

SIGNAL_OF_ANYBODY = {"path": "/a", "interface": "a.b", "member": "C", "signature": "s"}


def send_descriptor(client: Raw, to: str) -> None:
    """In a signal; to close it could take as long as its owner likes."""
    data = encode(SIGNAL, ["x"], **SIGNAL_OF_ANYBODY, destination=to, unix_fds=1)
    sock = client.connection._socket
    assert sock
    assert socket.send_fds(sock, [data], [0]) == len(data)


def test_who_follows_logind_takes_no_descriptors_but_its_inhibitor(bus: PrivateBus) -> None:
    async def work() -> None:
        async with fake_logind(bus) as fake, running(bus) as service, raw(bus) as stranger:
            service.logind.inhibit(True)
            await until(lambda: service.logind.held)
            async with connected(bus) as client:
                call = (DRIVER, DRIVER_PATH, DRIVER, "ListNames")
                (names,) = await client.call(*call, returns="as")
                known = (fake.connection, stranger.connection, client._connection)
                others = {name for name in names if name.startswith(":")}
                (follower,) = others - {each.unique_name for each in known}
            send_descriptor(stranger, follower)
            await until(lambda: bool(errors(stranger)))
            assert errors(stranger) == ["org.freedesktop.DBus.Error.NotSupported"]
            assert service.logind.connected

    run_async(work())


def errors(client: Raw) -> list[str]:
    """What the bus has refused it."""
    return [each.header.error_name for each in client.heard if each.header.error_name]


def test_the_inhibitor_outlives_the_connection_that_it_came_over(bus: PrivateBus) -> None:
    async def work() -> None:
        async with fake_logind(bus) as fake, running(bus) as service:
            service.logind.inhibit(True)
            await until(lambda: service.logind.held)
            assert fake.locks == 1
            service.logind.inhibit(False)
            await until(lambda: fake.locks == 0)

    run_async(work())
