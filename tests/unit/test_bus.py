"""Calls on a real bus, and what becomes of them when it goes away."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from pathlib import Path

import pytest

from guestctl.host.bus import DRIVER, DRIVER_PATH, BusError, Rule, SystemBus, system_address
from guestctl.host.bus_calls import LONGEST_ANSWER
from guestctl.host.bus_messages import ALLOW_INTERACTIVE_AUTHORIZATION
from tests.unit.echo import INTERFACE, NAME, PATH, connected, echo
from tests.unit.private_bus import PrivateBus, open_fds, until
from tests.unit.running import run_async


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
            assert await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["ü"], returns="s") == [
                "ü"
            ]
            assert await client.get_property(NAME, PATH, INTERFACE, "Level", "u") == 7
            assert await client.call(NAME, PATH, INTERFACE, "Deep", returns="a{sv}v") == [
                {"a": 1},
                ["x"],
            ]

    run_async(work())


def test_an_error_has_its_name(bus: PrivateBus) -> None:
    async def work() -> None:
        async with connected(bus) as client:
            with pytest.raises(BusError) as caught:
                await client.call(DRIVER, DRIVER_PATH, DRIVER, "Nonsense", returns="")
            assert caught.value.name == "org.freedesktop.DBus.Error.UnknownMethod"

    run_async(work())


def test_no_call_starts_a_service(bus: PrivateBus) -> None:
    bus.activatable(NAME)
    bus.kill()
    bus.start()

    async def work() -> None:
        async with connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "s"), print)
            for attempt in (
                client.call(NAME, PATH, INTERFACE, "Echo", returns="s"),
                client.get_property(NAME, PATH, INTERFACE, "Level", "u"),
                client.call_for_fd(NAME, PATH, INTERFACE, "Open"),
            ):
                with pytest.raises(BusError) as caught:
                    await attempt
                assert caught.value.name
            assert not bus.activated
            # The counter-proof: this one may, and does.
            arguments = (NAME, 0)
            with contextlib.suppress(BusError):
                call = (DRIVER, DRIVER_PATH, DRIVER, "StartServiceByName", "su", arguments)
                await client.call(*call, returns="u", timeout=0.2)
            await until(lambda: bus.activated)

    run_async(work())


def test_a_call_that_may_starts_who_is_called(bus: PrivateBus) -> None:
    bus.activatable(NAME)
    bus.kill()
    bus.start()

    async def work() -> None:
        async with connected(bus) as client:
            call = (NAME, PATH, INTERFACE, "Echo", "s", ["on"])
            asking = asyncio.create_task(client.call(*call, returns="s", starts=True))
            await until(lambda: bus.activated)
            async with echo(bus):
                assert await asking == ["on"]
                assert await client.call(*call, returns="s", starts=True) == ["on"]

    run_async(work())


def test_a_name_that_nobody_has_is_said_although_it_may_be_started(bus: PrivateBus) -> None:
    async def work() -> None:
        async with connected(bus) as client:
            with pytest.raises(BusError) as caught:
                await client.call(NAME, PATH, INTERFACE, "Echo", returns="s", starts=True)
            assert caught.value.name == "org.freedesktop.DBus.Error.ServiceUnknown"

    run_async(work())


def test_a_call_says_whether_the_user_may_be_asked(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus) as service, connected(bus) as client:
            flags = []
            for interactive in (False, True):
                call = client.call(
                    NAME, PATH, INTERFACE, "Hang", returns="", interactive=interactive
                )
                asking = asyncio.create_task(call)
                await until(lambda: bool(service.unanswered))
                flags.append(service.unanswered.pop().header.flags)
                asking.cancel()
            assert [each & ALLOW_INTERACTIVE_AUTHORIZATION for each in flags] == [0, 4]

    run_async(work())


def test_an_answer_has_the_length_that_its_caller_takes(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            call = (NAME, PATH, INTERFACE, "Echo", "s", ["x" * (LONGEST_ANSWER + 1)])
            with pytest.raises(BusError, match="too many"):
                await client.call(*call, returns="s")
            longest = 2 * LONGEST_ANSWER
            assert await client.call(*call, returns="s", longest=longest) == call[-1]

    run_async(work())


def test_a_call_that_nobody_answers_ends(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            with pytest.raises(BusError, match="no answer") as caught:
                await client.call(NAME, PATH, INTERFACE, "Hang", returns="s", timeout=0.05)
            assert caught.value.name == ""
            assert await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["on"], returns="s") == [
                "on"
            ]

    run_async(work())


def test_the_bus_dies_under_a_call(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            call = asyncio.create_task(client.call(NAME, PATH, INTERFACE, "Hang", returns="s"))
            await asyncio.sleep(0.05)
            bus.kill()
            with pytest.raises(BusError, match="has ended") as caught:
                await call
            assert caught.value.name == ""
            await client.wait_closed()
            assert client.closed
            began = time.monotonic()
            with pytest.raises(BusError):
                await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["gone"], returns="s")
            assert time.monotonic() - began < 1

    run_async(work())


def test_closing_ends_calls_and_waiting(bus: PrivateBus) -> None:
    async def work() -> None:
        async with echo(bus), connected(bus) as client:
            call = asyncio.create_task(client.call(NAME, PATH, INTERFACE, "Hang", returns="s"))
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
