"""Callers that leave the bus: before they are known, while they are answered, after that."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import pytest

from guestctl.host import bus_callers
from guestctl.host.bus import BusError, SystemBus
from guestctl.host.bus_callers import IN_ALL, OF_A_CONNECTION, OF_A_USER, Caller, Callers
from guestctl.host.bus_interface import PEER
from guestctl.host.bus_messages import DRIVER, DRIVER_PATH
from tests.unit.echo import connected
from tests.unit.exporting import Raw, ask, raw, shop
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async

#: Calls that a bus with the callers of one user is full of.
FULL = IN_ALL if os.geteuid() == 0 else OF_A_USER


@contextlib.asynccontextmanager
async def flood(bus: PrivateBus, member: str) -> AsyncIterator[None]:
    """As many calls as the server takes, of callers who are gone in the end."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(FULL // OF_A_CONNECTION):
            client = await stack.enter_async_context(raw(bus))
            for _ in range(OF_A_CONNECTION):
                client.call(member)
        yield


def test_what_changes_something_goes_on_without_its_caller(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            exported.gate.clear()
            async with raw(bus) as leaving:
                leaving.call("Sell")
                leaving.call("Look")
                await until(lambda: exported.begun == ["Sell", "Look"])
            await until(lambda: exported.cancelled == ["Look"])
            exported.gate.set()
            await until(lambda: exported.done == ["Sell"])
            assert await ask(client, "Echo", "s", "on") == ["on"]
            assert exported.troubles == []

    run_async(work())


def test_who_leaves_makes_room_at_once(bus: PrivateBus) -> None:
    """Nothing that they asked for has an answer yet, and what is asked next is not refused."""

    async def work() -> None:
        async with shop(bus.address) as exported:
            exported.gate.clear()
            async with flood(bus, "Look"):
                await until(lambda: len(exported.begun) == FULL)
                async with connected(bus) as refused:
                    with pytest.raises(BusError, match="too many calls"):
                        await ask(refused, "Ping", interface=PEER.name)
            async with connected(bus) as honest:
                assert await ask(honest, "Ping", interface=PEER.name) == []
            await until(lambda: exported.cancelled == ["Look"] * FULL)
            assert exported.done == exported.troubles == []

    run_async(work())


def test_what_goes_on_keeps_its_place(bus: PrivateBus) -> None:
    """Or whoever may act could have any number of acts under way, by leaving after each."""

    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            exported.gate.clear()
            async with flood(bus, "Sell"):
                await until(lambda: len(exported.begun) == FULL)
                session = exported.server._session
                assert session
            await until(lambda: not session._answering._callers._known)
            with pytest.raises(BusError, match="too many calls"):
                await ask(client, "Ping", interface=PEER.name)
            exported.gate.set()
            await until(lambda: exported.done == ["Sell"] * FULL)
            assert await ask(client, "Ping", interface=PEER.name) == []

    run_async(work())


def test_who_left_as_it_asked_makes_room_though_the_bus_tells_of_it_never(bus: PrivateBus) -> None:
    """They were gone before the bus was asked to tell when they leave."""

    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            exported.gate.clear()
            session = exported.server._session
            assert session
            sock = session._connection._socket
            assert sock
            asyncio.get_running_loop().remove_reader(sock)
            for _ in range(3):
                async with raw(bus) as leaving:
                    for _ in range(OF_A_CONNECTION):
                        leaving.call("Look")
                await until_gone(client, leaving.connection.unique_name)
            asyncio.get_running_loop().add_reader(sock, session._connection._read)
            assert await ask(client, "Ping", interface=PEER.name) == []
            callers = session._answering._callers
            await until(lambda: not callers._of_connections)
            assert exported.begun == exported.troubles == []
            assert len(callers._known) == 1  # who asked

    run_async(work())


def test_no_more_are_listened_for_than_are_remembered(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But whoever has calls under way."""
    monkeypatch.setattr(bus_callers, "_MOST_KNOWN", 3)

    async def work() -> None:
        async with shop(bus.address) as exported, contextlib.AsyncExitStack() as stack:
            exported.gate.clear()
            busy = await stack.enter_async_context(raw(bus))
            busy.call("Look")
            await until(lambda: exported.begun == ["Look"])
            for _ in range(5):
                idle = await stack.enter_async_context(connected(bus))
                await ask(idle, "Ping", interface=PEER.name)
            session = exported.server._session
            assert session
            known = session._answering._callers._known
            assert len(known) == 3
            assert busy.connection.unique_name in known
            busy.connection.close()
            await until(lambda: exported.cancelled == ["Look"])

    run_async(work())


def test_who_has_left_before_it_is_known_gets_nothing_done(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            original = Callers.identify
            gone = asyncio.Event()

            async def late(self: Callers, name: str, **options: bool) -> Caller | None:
                await gone.wait()
                return await original(self, name, **options)

            monkeypatch.setattr(Callers, "identify", late)
            async with raw(bus) as leaving:
                leaving.call("Sell")
                await ping(leaving)
            await until_gone(client, leaving.connection.unique_name)
            gone.set()
            assert await ask(client, "Echo", "s", "on") == ["on"]
            assert exported.done == ["Echo"]

    async def ping(client: Raw) -> None:
        """Returns when the bus has passed on what was sent before."""
        serial = client.call("Nonsense")
        await until(lambda: client.answer(serial) is not None)

    run_async(work())


def test_who_is_known_and_has_left_gets_nothing_done(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a service that hung, root's preserve has been done by the command meanwhile."""

    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            original, gone = Callers.identify, asyncio.Event()

            async def late(self: Callers, name: str, **how: bool) -> Caller | None:
                if how["anew"]:
                    await gone.wait()
                return await original(self, name, **how)

            monkeypatch.setattr(Callers, "identify", late)
            async with raw(bus) as leaving:
                leaving.call("Sell")
                serial = leaving.call("Look")
                await until(lambda: leaving.answer(serial) is not None)
            await until_gone(client, leaving.connection.unique_name)
            gone.set()
            assert await ask(client, "Echo", "s", "on") == ["on"]
            assert exported.done == ["Look", "Echo"]

    run_async(work())


async def until_gone(client: SystemBus, name: str) -> None:
    """Until the bus knows nothing of it."""
    call = (DRIVER, DRIVER_PATH, DRIVER, "NameHasOwner", "s", [name])
    while (await client.call(*call, returns="b"))[0]:  # noqa: ASYNC110 - the bus is another process
        await asyncio.sleep(0.01)
