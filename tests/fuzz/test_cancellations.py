"""Calls that are given up at any moment: nothing stays behind, and the next call is answered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from guestctl.host import tasks
from guestctl.host.bus import BusError, SystemBus
from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.host.logind import Logind
from guestctl.model.ports import HypervisorError
from tests.unit.echo import INTERFACE, NAME, PATH, connected, echo
from tests.unit.private_bus import FakeLogind, PrivateBus, open_fds, private_bus
from tests.unit.test_idle_connections import GUEST, URI

from .chance import dice, seeds

#: Seconds within which most of these calls are at work.
SOON = 0.004
HANDFUL = 12


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as bus:
        yield bus


async def given_up(work: asyncio.Future[Any], chance: random.Random) -> None:
    """Let it go on for a moment, then cancel it; it may have ended by then."""
    await asyncio.sleep(chance.random() * SOON)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError, BusError, HypervisorError):
        await work


@seeds(250, size=25)
def test_calls_over_the_bus(block: range, bus: PrivateBus) -> None:
    async def scene() -> None:
        async with echo(bus) as service, connected(bus, negotiate_unix_fd=True) as client:
            service.methods["Open"] = lambda _: ("h", [0], [os.memfd_create("sent")])
            before = open_fds()
            for seed in block:
                chance = dice(seed)
                calls = [_call(client, chance) for _ in range(chance.randint(1, HANDFUL))]
                await asyncio.gather(*(given_up(call, chance) for call in calls))
            # Answers that nobody waits for come before this one.
            assert await client.call(NAME, PATH, INTERFACE, "Echo", "s", ["on"], returns="s")
            assert open_fds() == before

    asyncio.run(scene())


def _call(client: SystemBus, chance: random.Random) -> asyncio.Future[Any]:
    where = (NAME, PATH, INTERFACE)
    works: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: client.call(*where, "Echo", "s", ["x"], returns="s"),
        lambda: client.call(*where, "Hang", returns="s", timeout=0.003),
        lambda: client.get_property(*where, "Level", "u"),
        lambda: _opened_and_closed(client),
    ]
    return asyncio.ensure_future(chance.choice(works)())


async def _opened_and_closed(client: SystemBus) -> None:
    os.close(await client.call_for_fd(NAME, PATH, INTERFACE, "Open"))


@seeds(250, size=25)
def test_following_logind(block: range, bus: PrivateBus) -> None:
    """Whenever it ends, no inhibitor is left: logind would wait for it for ever."""

    async def scene() -> None:
        fake = FakeLogind()
        await fake.connect(bus.address)
        before = open_fds()
        for seed in block:
            chance = dice(seed)
            logind = Logind("fuzz", lambda _: None, lambda: None, bus.address)
            logind.inhibit(chance.random() < 0.8)
            following = asyncio.ensure_future(logind.run())
            await given_up(following, chance)
            assert not logind.held, seed
        while fake.locks:  # noqa: ASYNC110 - their ends come over the bus
            await asyncio.sleep(0.01)
        assert open_fds() == before
        fake.leave()
        fake.close()

    asyncio.run(asyncio.wait_for(scene(), 60))


@seeds(250, size=25)
def test_calls_to_libvirt(block: range) -> None:
    async def scene() -> None:
        hypervisor = LibvirtHypervisor(URI)
        for seed in block:
            chance = dice(seed)
            works = [hypervisor.guests, lambda: hypervisor.observe(GUEST), hypervisor.subscribe]
            calls = [asyncio.ensure_future(chance.choice(works)()) for _ in range(HANDFUL)]
            await asyncio.gather(*(given_up(call, chance) for call in calls))
        assert [guest.name for guest in await hypervisor.guests()] == ["test"]
        await hypervisor.close()

    asyncio.run(scene())
    assert len(threading.enumerate()) < tasks.MAX_IDLE + 20
