"""File descriptors that come over a bus: the one that was asked for, and no other stays open."""

from __future__ import annotations

import fcntl
import os
from typing import Any

import pytest

from guestctl.host.bus import DRIVER, DRIVER_PATH, BusError, Rule, SystemBus
from guestctl.host.bus_messages import METHOD_CALL, SIGNAL
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
            fields = {"path": PATH, "interface": INTERFACE, "signature": "h"}
            service.send_fds(SIGNAL, [0], [os.memfd_create("sent")], member="Rang", **fields)
            await until(lambda: bool(heard))
            fields["destination"] = client._connection.unique_name
            service.send_fds(METHOD_CALL, [0], [os.memfd_create("sent")], member="No", **fields)
            await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["behind it"], returns="s")
            assert open_fds() == before

    run_async(work())


def test_an_answer_too_late_is_let_go(bus: PrivateBus) -> None:
    """An inhibitor that comes after the time limit would be held for ever."""

    async def work() -> None:
        async with echo(bus) as service, connected(bus, negotiate_unix_fd=True) as client:
            with pytest.raises(BusError, match="no answer"):
                await client.call_for_fd(NAME, PATH, INTERFACE, "Late", timeout=0.05)
            before = open_fds()
            service.reply(service.unanswered[0], ("h", [0], [os.memfd_create("sent")]))
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
