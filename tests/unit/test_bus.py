"""Calls and signals on a real bus, and what becomes of them when it goes away."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dbus_next import Message, Variant

from guestctl.host.bus import DRIVER, DRIVER_PATH, BusError, Rule, SystemBus, system_address
from tests.unit.private_bus import FakeService, PrivateBus, open_fds, private_bus, until
from tests.unit.running import run_async

NAME, PATH, INTERFACE = "org.example.Echo", "/org/example/Echo", "org.example.Echo"


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as running:
        yield running


@contextlib.asynccontextmanager
async def connected(bus: PrivateBus, **options: bool) -> AsyncIterator[SystemBus]:
    client = await SystemBus.connect(bus.address, **options)
    try:
        yield client
    finally:
        client.close()


@contextlib.asynccontextmanager
async def echo(bus: PrivateBus) -> AsyncIterator[FakeService]:
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


def the_system_s_bus(monkeypatch: pytest.MonkeyPatch, value: str | None) -> str:
    if value is None:
        monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    else:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", value)
    return system_address()


def test_where_the_systems_bus_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert the_system_s_bus(monkeypatch, None) == "unix:path=/run/dbus/system_bus_socket"
    assert the_system_s_bus(monkeypatch, "unix:path=/x") == "unix:path=/x"


def test_a_call_a_property_and_variants(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            assert await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["ü"]) == ["ü"]
            assert await client.get_property(NAME, PATH, INTERFACE, "Level") == 7
            assert await client.call(NAME, PATH, INTERFACE, "Deep") == [{"a": 1}, ["x"]]

    run_async(work())


def test_an_error_has_its_name(bus: PrivateBus) -> None:
    async def work() -> None:
        async with connected(bus) as client:
            with pytest.raises(BusError) as caught:
                await client.call(DRIVER, DRIVER_PATH, DRIVER, "Nonsense")
            assert caught.value.name == "org.freedesktop.DBus.Error.UnknownMethod"

    run_async(work())


def test_no_call_starts_a_service(bus: PrivateBus) -> None:
    bus.activatable(NAME)
    bus.kill()
    bus.start()

    async def work() -> None:
        async with connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Rang"), print)
            for attempt in (
                client.call(NAME, PATH, INTERFACE, "Echo"),
                client.get_property(NAME, PATH, INTERFACE, "Level"),
                client.call_for_fd(NAME, PATH, INTERFACE, "Open"),
            ):
                with pytest.raises(BusError) as caught:
                    await attempt
                assert caught.value.name
            assert not bus.activated
            # The counter-proof: this one may, and does.
            arguments = (NAME, 0)
            with contextlib.suppress(BusError):
                await client.call(
                    DRIVER, DRIVER_PATH, DRIVER, "StartServiceByName", "su", arguments, timeout=0.2
                )
            await until(lambda: bus.activated)

    run_async(work())


def test_a_call_that_nobody_answers_ends(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            with pytest.raises(BusError, match="no answer") as caught:
                await client.call(NAME, PATH, INTERFACE, "Hang", timeout=0.05)
            assert caught.value.name == ""
            assert await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["on"]) == ["on"]

    run_async(work())


def test_the_bus_dies_under_a_call(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            call = asyncio.create_task(client.call(NAME, PATH, INTERFACE, "Hang"))
            await asyncio.sleep(0.05)
            bus.kill()
            with pytest.raises(BusError, match="has ended") as caught:
                await call
            assert caught.value.name == ""
            await client.wait_closed()
            assert client.closed
            began = time.monotonic()
            with pytest.raises(BusError):
                await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["gone"])
            assert time.monotonic() - began < 1

    run_async(work())


def test_closing_ends_calls_and_waiting(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            call = asyncio.create_task(client.call(NAME, PATH, INTERFACE, "Hang"))
            waiting = asyncio.create_task(client.wait_closed())
            await asyncio.sleep(0.05)
            client.close()
            client.close()
            await waiting
            with pytest.raises(BusError):
                await call

    run_async(work())


# -- connecting


def test_no_bus_at_all(tmp_path: Path) -> None:
    async def work() -> None:
        for address in (f"unix:path={tmp_path}/none", "nonsense", "unix:path="):
            with pytest.raises(BusError, match="cannot connect"):
                await SystemBus.connect(address)

    run_async(work())


class Peer:
    """Listens where a bus would, and does as told with whoever comes."""

    def __init__(self, folder: Path, answer: bytes | None, backlog: int = 5) -> None:
        self.address = f"unix:path={folder}/peer"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(f"{folder}/peer")
        self.socket.listen(backlog)
        self.socket.setblocking(False)
        self.answer = answer

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self.socket)
            if self.answer is not None:
                await loop.sock_recv(connection, 1000)
                await loop.sock_sendall(connection, self.answer)
                # dbus-next writes its line in two pieces.
                await asyncio.sleep(0.02)
            connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"OK 0123",
        b"OK 0123\r\n",
        b"REJECTED EXTERNAL\r\n",
        b"what\r\n",
        b"\xff\r\n",
        b"x" * 9000,
    ],
)
@pytest.mark.parametrize("fds", [True, False])
def test_a_peer_that_closes_during_authentication(
    tmp_path: Path, answer: bytes | None, fds: bool
) -> None:
    """The library alone spins the event loop then, so that not even a time limit helps."""

    async def work() -> None:
        peer = Peer(tmp_path, answer)
        serving = asyncio.create_task(peer.serve())
        before = open_fds()
        with pytest.raises(BusError, match="cannot connect"):
            await SystemBus.connect(peer.address, negotiate_unix_fd=fds, timeout=2)
        await asyncio.sleep(0.05)
        assert open_fds() == before
        serving.cancel()
        peer.socket.close()

    run_async(work())


def test_a_bus_that_hangs(bus: PrivateBus) -> None:
    assert bus.process

    async def work() -> None:
        assert bus.process
        bus.process.send_signal(signal.SIGSTOP)
        before = open_fds()
        with pytest.raises(BusError, match="no answer within"):
            await SystemBus.connect(bus.address, timeout=0.1)
        assert open_fds() == before

    run_async(work())


def test_a_bus_that_hangs_with_a_full_queue_blocks_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        peer = Peer(tmp_path, None, backlog=0)
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(f"{tmp_path}/peer")
        began = time.monotonic()
        with pytest.raises(BusError, match="cannot connect"):
            await SystemBus.connect(peer.address, timeout=0.5)
        assert time.monotonic() - began < 1
        waiting.close()
        peer.socket.close()

    run_async(work())


# -- file descriptors


def opener(service: FakeService, count: int = 1, index: int = 0) -> None:
    def answer(_: list[Any]) -> tuple[str, list[Any], list[int]]:
        fds = [os.memfd_create(f"number {n}", 0) for n in range(count)]
        return "h", [index], fds

    service.methods["Open"] = answer


def test_a_file_descriptor_and_no_other(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus) as service, connected(bus, negotiate_unix_fd=True) as client:
            opener(service, count=3, index=1)
            before = open_fds()
            fd = await client.call_for_fd(NAME, PATH, INTERFACE, "Open")
            assert os.readlink(f"/proc/self/fd/{fd}") == "/memfd:number 1 (deleted)"
            assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
            os.close(fd)
            assert open_fds() == before

    run_async(work())


@pytest.mark.parametrize(("count", "index"), [(0, 0), (1, 1), (2, 9)])
def test_an_answer_without_the_file_descriptor(bus: PrivateBus, count: int, index: int) -> None:
    async def work() -> None:
        async with echo(bus) as service, connected(bus, negotiate_unix_fd=True) as client:
            opener(service, count, index)
            before = open_fds()
            with pytest.raises(BusError, match="no file descriptor"):
                await client.call_for_fd(NAME, PATH, INTERFACE, "Open")
            assert open_fds() == before

    run_async(work())


def test_file_descriptors_that_nobody_takes_are_closed(bus: PrivateBus) -> None:
    """By a call that wanted none, in a signal, in a call to us, and in an answer too late."""

    async def work() -> None:
        async with echo(bus) as service, connected(bus, negotiate_unix_fd=True) as client:
            opener(service)
            before = open_fds()
            await client.call(NAME, PATH, INTERFACE, "Open")
            assert open_fds() == before
            heard: list[Any] = []
            await client.subscribe(Rule(NAME, INTERFACE, "Rang"), heard.append)
            await send_fd(service, Message.new_signal(PATH, INTERFACE, "Rang", "h", [0]))
            await until(lambda: bool(heard))
            ours = client._library.unique_name
            call = Message(ours, PATH, INTERFACE, "Unknown", signature="h", body=[0])
            await send_fd(service, call)
            await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["behind it"])
            assert open_fds() == before

    run_async(work())


async def send_fd(service: FakeService, message: Message) -> None:
    fd = os.memfd_create("sent")
    message.unix_fds = [fd]
    await service.connection.send(message)
    os.close(fd)


def test_an_answer_too_late_is_let_go(bus: PrivateBus) -> None:
    """An inhibitor that comes after the time limit would be held for ever."""

    async def work() -> None:
        async with echo(bus) as service, connected(bus, negotiate_unix_fd=True) as client:
            late: list[Any] = []

            def keep(message: Any) -> bool:
                if message.member == "Late":
                    late.append(message)
                return bool(message.member == "Late")

            service.connection._user_message_handlers.insert(0, keep)
            with pytest.raises(BusError, match="no answer"):
                await client.call_for_fd(NAME, PATH, INTERFACE, "Late", timeout=0.05)
            before = open_fds()
            await send_fd(service, Message.new_method_return(late[0], "h", [0]))
            await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["behind it"])
            assert open_fds() == before

    run_async(work())


def test_connections_leave_nothing_behind(bus: PrivateBus) -> None:
    async def work() -> None:
        before = open_fds()
        for _ in range(5):
            async with connected(bus) as client:
                await client.call(DRIVER, DRIVER_PATH, DRIVER, "ListNames")
        lost = await SystemBus.connect(bus.address)
        bus.kill()
        await lost.wait_closed()
        # Its standard output went with it.
        assert open_fds() == before - 1

    run_async(work())


# -- signals


def test_signals_from_the_owner_of_the_name_alone(bus: PrivateBus) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []
        impostor = FakeService("org.example.Impostor", PATH, INTERFACE)
        await impostor.connect(bus.address)
        async with echo(bus) as service, connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", PATH), heard.append)
            forged = Message.new_signal(PATH, INTERFACE, "Rang", "s", ["forged"])
            forged.destination = client._library.unique_name
            await impostor.connection.send(forged)
            service.emit("Sang", "s", "another signal")
            service.emit("Rang", "v", Variant("s", "true"))
            await until(lambda: bool(heard))
            assert heard == [["true"]]
        impostor.leave()

    run_async(work())


def test_signals_of_a_sender_that_comes_back(bus: PrivateBus) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []
        async with connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Rang"), heard.append)
            for text in ("first", "second"):
                async with echo(bus) as service:
                    service.emit("Rang", "s", text)
                    await until(partial(heard.__contains__, [text]))

    run_async(work())


def test_who_owns_a_name(bus: PrivateBus) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []
        async with connected(bus) as client:
            rule = Rule(DRIVER, DRIVER, "NameOwnerChanged", arg0=NAME)
            await client.subscribe(rule, heard.append)
            other = FakeService("org.example.Other", PATH, INTERFACE)
            await other.connect(bus.address)
            async with echo(bus):
                await until(lambda: bool(heard))
            await until(lambda: len(heard) == 2)
            assert [(name, bool(owner)) for name, _, owner in heard] == [
                (NAME, True),
                (NAME, False),
            ]
            other.leave()

    run_async(work())


def test_a_handler_that_raises_costs_no_other_signal(
    bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []

        def fail(_: list[Any]) -> None:
            raise ValueError("in the handler")

        async with echo(bus) as service, connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Bad"), fail)
            await client.subscribe(Rule(NAME, INTERFACE, "Rang"), heard.append)
            service.emit("Bad", "s", "")
            service.emit("Rang", "s", "after")
            await until(lambda: bool(heard))

    run_async(work())
    assert "in the handler" in caplog.text
