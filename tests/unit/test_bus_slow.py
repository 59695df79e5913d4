"""A bus that reads nothing for a while: what is sent waits, within a limit, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from guestctl.host.bus import BusError, Rule, SystemBus
from guestctl.host.bus_messages import SIGNAL
from guestctl.host.bus_writer import LONGEST_QUEUE, QueueFull
from guestctl.host.dbus_library import Outgoing
from tests.unit.echo import INTERFACE, NAME, PATH, connected, echo
from tests.unit.lenient_bus import LenientBus, lenient_bus
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async

KB20 = 20_000
LAST = 4711


def of_20_kb(number: int) -> Outgoing:
    return Outgoing(SIGNAL, "", PATH, INTERFACE, "Rang", "us", (number, "x" * KB20))


@contextlib.asynccontextmanager
async def stuck(folder: Path) -> AsyncIterator[tuple[LenientBus, SystemBus]]:
    """A bus that reads nothing until it is told to go on, and a connection to it."""
    async with lenient_bus(folder, {}) as (bus, client):
        bus.pause()
        try:
            yield bus, client
        finally:
            bus.go_on()


def test_twenty_replies_of_20_kb_wait_for_a_bus_that_reads_nothing(tmp_path: Path) -> None:
    """dbus-next and dbus-fast took the full socket for the end: any user brought that about."""

    async def work() -> None:
        async with stuck(tmp_path) as (bus, client):
            for number in range(20):
                client._connection.send(of_20_kb(number))
            await asyncio.sleep(0.05)
            assert not client.closed
            assert 0 < client._connection.waiting <= 20 * (KB20 + 200)
            bus.go_on()
            heard = [(await bus.calls.get()).body for _ in range(20)]
            assert heard == [[number, "x" * KB20] for number in range(20)]
            await until(lambda: not client._connection.waiting)

    run_async(work())


def fill(client: SystemBus) -> int:
    """How many messages it took."""
    for number in range(1000):
        try:
            client._connection.send(of_20_kb(number))
        except QueueFull:
            return number
    raise AssertionError("there is no limit")


def test_what_waits_has_a_limit_and_the_connection_lives(tmp_path: Path) -> None:
    async def work() -> None:
        async with stuck(tmp_path) as (bus, client):
            sent = fill(client)
            assert LONGEST_QUEUE - 2 * KB20 < client._connection.waiting <= LONGEST_QUEUE
            with pytest.raises(BusError, match="wait for a bus"):
                await client.call(":1.2", PATH, INTERFACE, "Echo", "s", ["x" * KB20], returns="s")
            assert not client.closed
            bus.go_on()
            heard = [(await bus.calls.get()).body[0] for _ in range(sent)]
            assert heard == list(range(sent))
            client._connection.send(of_20_kb(LAST))
            assert (await bus.calls.get()).body[0] == LAST

    run_async(work())


def test_a_message_of_any_size_is_sent_piece_by_piece(tmp_path: Path) -> None:
    async def work() -> None:
        async with stuck(tmp_path) as (bus, client):
            text = "y" * 2 * LONGEST_QUEUE
            message = Outgoing(SIGNAL, "", PATH, INTERFACE, "Rang", "s", (text,))
            client._connection.send(message)
            assert client._connection.waiting > LONGEST_QUEUE
            bus.go_on()
            assert (await bus.calls.get()).body == [text]

    run_async(work())


def test_a_bus_that_ends_while_much_waits_ends_the_connection(tmp_path: Path) -> None:
    async def work() -> None:
        async with stuck(tmp_path) as (bus, client):
            for number in range(20):
                client._connection.send(of_20_kb(number))
            bus.drop()
            await client.wait_closed()

    run_async(work())


def test_a_real_bus_that_stands_still_and_goes_on(bus: PrivateBus) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []
        async with echo(bus) as service, connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "us"), heard.append)
            assert bus.process
            bus.process.send_signal(signal.SIGSTOP)
            for number in range(20):
                service.emit("Rang", "us", number, "x" * KB20)
            assert service.connection.waiting
            bus.process.send_signal(signal.SIGCONT)
            await until(lambda: len(heard) == 20)
            assert [number for number, _ in heard] == list(range(20))

    run_async(work())


def test_a_client_that_reads_none_of_its_replies_costs_nobody_else(bus: PrivateBus) -> None:
    """On a real bus: three such clients, each with twenty calls whose replies are of 20 kB."""

    async def work() -> None:
        async with echo(bus) as service, contextlib.AsyncExitStack() as stack:
            service.methods["Much"] = lambda _: ("s", ["x" * KB20], [])
            clients = [await stack.enter_async_context(connected(bus)) for _ in range(4)]
            *idle, reading = clients
            to = service.connection.unique_name
            calls = [much(client, to) for client in idle for _ in range(20)]
            await until(lambda: service.calls.count("Much") == len(calls))
            answer = await reading.call(NAME, PATH, INTERFACE, "Echo", "s", ["on"], returns="s")
            assert answer == ["on"]
            assert not any(call.done() for call in calls)
            for client in idle:
                listens(client, True)
            assert await asyncio.gather(*calls) == [["x" * KB20]] * len(calls)

    def much(client: SystemBus, to: str) -> asyncio.Task[list[Any]]:
        listens(client, False)
        return asyncio.create_task(client.call(to, PATH, INTERFACE, "Much", returns="s"))

    run_async(work())


def listens(client: SystemBus, does: bool) -> None:
    """Whether it takes what comes from its socket."""
    connection, loop = client._connection, asyncio.get_running_loop()
    assert connection._socket
    if does:
        loop.add_reader(connection._socket, connection._read)
    else:
        loop.remove_reader(connection._socket)
