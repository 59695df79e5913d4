"""Connections to libvirt that have nothing to do: closed, but for the one that hears events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import libvirt
import pytest

from guestctl.host.libvirt import connections as libvirt_connections
from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from tests.unit.running import run_async

URI = "test:///default"
#: The one guest of libvirt's test driver.
GUEST = "6695eb01-f6a4-8304-79aa-97f2502e193f"
SOON = 0.05


class Connections:
    """How many were opened, and how many of them closed."""

    opened = 0
    closed = 0


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    seen = Connections()

    class Watched(libvirt.virConnect):  # type: ignore[misc]  # the library has no types
        def __init__(self, plain: libvirt.virConnect) -> None:
            super().__init__(plain._o)
            plain._o = None
            seen.opened += 1

        def close(self) -> None:
            super().close()
            seen.closed += 1

    really_open = libvirt.open
    monkeypatch.setattr(libvirt, "open", lambda uri: Watched(really_open(uri)))
    monkeypatch.setattr(libvirt_connections, "IDLE_LIMIT", SOON)
    return seen


def served(scene: Callable[[LibvirtHypervisor], Awaitable[None]]) -> None:
    async def play() -> None:
        served_by = LibvirtHypervisor(URI)
        try:
            await scene(served_by)
        finally:
            await served_by.close()

    run_async(play())


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 - it happens in another thread
            await asyncio.sleep(SOON / 5)


async def work(of: LibvirtHypervisor, times: int) -> None:
    """Calls on the connections for jobs, all at the same time."""
    found = await asyncio.gather(*(of.domain_info([GUEST]) for _ in range(times)))
    assert all(GUEST in domain_info for domain_info in found)


def test_connections_for_jobs_are_closed_when_the_work_is_done(connections: Connections) -> None:
    async def scene(of: LibvirtHypervisor) -> None:
        await work(of, 6)
        assert connections.opened == 6  # one for each: none shares before there are many
        await until(lambda: connections.closed == 6)

    served(scene)


def test_they_are_opened_again_for_more_work_and_no_more_than_it_takes(
    connections: Connections,
) -> None:
    async def scene(of: LibvirtHypervisor) -> None:
        await work(of, 6)
        await until(lambda: connections.closed == 6)
        await work(of, 3)
        assert connections.opened == 9

    served(scene)


def test_work_in_time_keeps_a_connection(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libvirt_connections, "IDLE_LIMIT", 0.5)

    async def scene(of: LibvirtHypervisor) -> None:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            await work(of, 1)
        assert (connections.opened, connections.closed) == (1, 0)

    served(scene)


def test_the_one_that_hears_events_stays(connections: Connections) -> None:
    async def scene(of: LibvirtHypervisor) -> None:
        disconnected = await of.subscribe()
        await asyncio.gather(*(of.guests() for _ in range(6)))
        assert connections.opened == 2
        await until(lambda: connections.closed == 1)
        await asyncio.sleep(4 * SOON)
        assert connections.closed == 1
        assert not disconnected.is_set()

    served(scene)
