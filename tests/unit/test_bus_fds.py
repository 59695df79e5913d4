"""File descriptors that come over a bus: the one that was asked for, and no other stays open."""

from __future__ import annotations

import fcntl
import os
from typing import Any

import pytest
from dbus_next import Message

from guestctl.host.bus import DRIVER, DRIVER_PATH, BusError, Rule, SystemBus
from tests.unit.echo import INTERFACE, NAME, PATH, connected, echo
from tests.unit.private_bus import FakeService, PrivateBus, open_fds, until
from tests.unit.running import run_async


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
            await client.call(NAME, PATH, INTERFACE, "Open", returns="h")
            assert open_fds() == before
            heard: list[Any] = []
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "h"), heard.append)
            await send_fd(service, Message.new_signal(PATH, INTERFACE, "Rang", "h", [0]))
            await until(lambda: bool(heard))
            ours = client._library.unique_name
            call = Message(ours, PATH, INTERFACE, "Unknown", signature="h", body=[0])
            await send_fd(service, call)
            await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["behind it"], returns="s")
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
            await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["behind it"], returns="s")
            assert open_fds() == before

    run_async(work())


def test_connections_leave_nothing_behind(bus: PrivateBus) -> None:
    async def work() -> None:
        before = open_fds()
        for _ in range(5):
            async with connected(bus) as client:
                await client.call(DRIVER, DRIVER_PATH, DRIVER, "ListNames", returns="as")
        lost = await SystemBus.connect(bus.address)
        bus.kill()
        await lost.wait_closed()
        # Its standard output went with it.
        assert open_fds() == before - 1

    run_async(work())
