"""The name on the bus and who is told of signals, whatever the bus and others do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from guestctl.host import bus_server, bus_session
from guestctl.host.bus import BusError
from guestctl.host.bus_callers import Caller
from guestctl.host.bus_errors import CallError
from guestctl.host.bus_messages import DRIVER, DRIVER_PATH
from guestctl.host.bus_subscribers import Subscribers
from tests.unit.echo import connected
from tests.unit.exporting import NAME, ROOT, SHOP, Shop, ask, raw, rung, shop, subscribed
from tests.unit.private_bus import FakeService, PrivateBus, until
from tests.unit.running import run_async


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_server, "FIRST_WAIT", 0.05)


# -- subscribers


def test_subscribers_alone_are_told_until_they_want_no_more(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as one, raw(bus) as other:
            server = exported.server
            server.emit(ROOT, SHOP, "Rang", 0, "nobody")
            assert not server.has_subscribers
            await subscribed(one)
            await subscribed(one)
            server.emit(ROOT, SHOP, "Rang", 1, "ü")
            server.changed(ROOT, SHOP, {"Level": 8, "Rows": [("y", 1)]})
            await until(lambda: any("Level" in str(each.body) for each in one.heard))
            assert rung(one) == [1]
            (change,) = [each for each in one.heard if each.header.member == "PropertiesChanged"]
            assert change.header.path == ROOT
            assert change.body == [
                SHOP.name,
                {"Level": ("u", 8), "Rows": ("a(sd)", [["y", 1]])},
                [],
            ]
            serial = one.call("Unsubscribe")
            await until(lambda: one.answer(serial) is not None)
            assert not server.has_subscribers
            server.emit(ROOT, SHOP, "Rang", 2, "nobody")
            serial = one.call("Look")
            await until(lambda: one.answer(serial) is not None)
            assert rung(one) == [1]
            assert rung(other) == []

    run_async(work())


def test_a_signal_that_does_not_fit_is_told_as_trouble(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as client:
            await subscribed(client)
            exported.server.emit(ROOT, SHOP, "Rang", -1, "x")
            exported.server.emit("no path", SHOP, "Rang", 1, "x")
            exported.server.emit(ROOT, SHOP, "Nonsense")
            exported.server.changed(ROOT, SHOP, {"Level": "x"})
            exported.server.changed(ROOT, SHOP, {"Nonsense": 1})
            exported.server.emit(ROOT, SHOP, "Rang", 1, "x\0\udcff")
            await until(lambda: rung(client) == [1])
            assert len(exported.troubles) == 5

    run_async(work())


def test_who_leaves_is_forgotten_and_strangers_wake_nobody(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            async with raw(bus) as leaving:
                await subscribed(leaving)
                assert await rules(client, exported) == 2  # of its calls, and of its signals
            await until(lambda: not exported.server.has_subscribers)
            await ask(client, "Look")
            assert await rules(client, exported) == 1  # the client's own

    async def rules(client: Any, exported: Shop) -> int:
        """How many matches the server has with the bus."""
        session = exported.server._session
        assert session
        name = session._connection.unique_name
        stats = "org.freedesktop.DBus.Debug.Stats"
        call = (DRIVER, DRIVER_PATH, stats, "GetConnectionStats", "s", [name])
        try:
            (found,) = await client.call(*call, returns="a{sv}")
        except BusError as error:
            pytest.skip(f"this bus counts nothing: {error}")
        return int(found["MatchRules"])

    run_async(work())


class There:
    """A bus on which everybody is."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def ask(self, member: str, _: str, __: Any, returns: str) -> list[bool]:
        self.told.append(member)
        return [True] if returns else []

    def tell(self, member: str, _: str, __: Any) -> None:
        self.told.append(member)


def test_subscribers_have_a_limit_and_root_has_room() -> None:
    async def work() -> None:
        there = There()
        subscribers = Subscribers(there)  # type: ignore[arg-type]

        async def add(number: int, uid: int) -> None:
            await subscribers.add(Caller(f":1.{number}", uid, 1, False))

        for number in range(48):
            await add(number, 1000 + number // 8)
        with pytest.raises(CallError, match="48 have subscribed"):
            await add(100, 2000)
        for number in range(200, 216):
            await add(number, 0)
        with pytest.raises(CallError, match="64 have subscribed"):
            await add(300, 0)
        subscribers.remove(":1.20")
        with pytest.raises(CallError, match="this user has subscribed 8 times"):
            await add(101, 1000)
        await add(102, 2000)
        assert there.told.count("AddMatch") - there.told.count("RemoveMatch") == 64

    run_async(work())


# -- the bus


def test_a_bus_that_is_restarted_has_the_name_again(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as client:
            await subscribed(client)
            exported.gate.clear()
            client.call("Look")
            client.call("Sell")
            await until(lambda: exported.begun[1:] == ["Look", "Sell"])
            bus.kill()
            await until(lambda: exported.cancelled == ["Look"])
            assert not exported.server.has_subscribers
            bus.start()
            await until(lambda: exported.named == [True, False, True])
            # A name on the new bus may be that of another one on the old.
            async with raw(bus) as stranger:
                exported.gate.set()
                await until(lambda: "Sell" in exported.done)
                serial = stranger.call("Look")
                await until(lambda: stranger.answer(serial) is not None)
                assert {each.header.reply_serial for each in stranger.heard} <= {0, serial}
            assert "ended the connection" in exported.troubles[0]

    run_async(work())


@contextlib.asynccontextmanager
async def closing(path: Path) -> AsyncIterator[list[float]]:
    """A bus that accepts and closes at once; when it did."""
    times: list[float] = []

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        times.append(asyncio.get_running_loop().time())
        writer.close()

    async with await asyncio.start_unix_server(close, path):
        yield times


def test_a_bus_that_accepts_and_closes_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "bus"
        async with closing(path) as times, shop(f"unix:path={path}", wait=False) as exported:
            await until(lambda: len(times) == 5)
            gaps = [after - before for before, after in itertools.pairwise(times)]
            assert all(gap >= wait for gap, wait in zip(gaps, (0.05, 0.1, 0.2, 0.4), strict=True))
            assert len(exported.troubles) == 1
            assert exported.named == []

    run_async(work())


def test_no_bus_at_all_is_told_once_and_waited_for(bus: PrivateBus) -> None:
    bus.kill()

    async def work() -> None:
        async with shop(bus.address, wait=False) as exported:
            await until(lambda: bool(exported.troubles))
            await asyncio.sleep(0.3)
            assert len(exported.troubles) == 1
            assert "cannot connect" in exported.troubles[0]
            with pytest.raises(CallError):
                await exported.server.subscribe(Caller(":1.1", 0, 1, False))
            bus.start()
            await until(lambda: exported.server.is_named)

    run_async(work())


def test_a_bus_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_session, "CONNECT_LIMIT", 0.1)

    async def work() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{tmp_path}/bus")
            listener.listen()
            async with shop(f"unix:path={tmp_path}/bus", wait=False) as exported:
                await until(lambda: bool(exported.troubles))
                assert "no answer within 0.1 s" in exported.troubles[0]

    run_async(work())


def test_a_fault_of_ours_is_no_end(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [RuntimeError("first"), RuntimeError("second")]
    original = bus_session.Session.open

    async def faulty(self: bus_session.Session, address: str, name: str, *, replaces: bool) -> None:
        if faults:
            raise faults.pop(0)
        await original(self, address, name, replaces=replaces)

    monkeypatch.setattr(bus_session.Session, "open", faulty)

    async def work() -> None:
        async with shop(bus.address) as exported:
            assert ["first" in exported.troubles[0], "second" in exported.troubles[1]] == [True] * 2
            assert len(exported.troubles) == 2

    run_async(work())


# -- the name


def test_a_name_that_another_one_has_is_told_and_taken_later(bus: PrivateBus) -> None:
    async def work() -> None:
        rival = FakeService(NAME, ROOT, SHOP.name)
        await rival.connect(bus.address)
        async with shop(bus.address, wait=False) as exported:
            await until(lambda: bool(exported.troubles))
            assert f"another program has the name {NAME}" in exported.troubles[0]
            assert f"busctl status {NAME}" in exported.troubles[0]
            rival.leave()
            await until(lambda: exported.server.is_named)
            assert len(exported.troubles) == 1

    run_async(work())


def test_a_name_that_the_bus_does_not_give_is_told_with_what_to_do(bus: PrivateBus) -> None:
    bus.kill()
    path = bus.folder / "bus.conf"
    path.write_text(path.read_text().replace('allow own="*"', 'deny own="*"'))
    bus.start()

    async def work() -> None:
        async with shop(bus.address, wait=False) as exported:
            await until(lambda: bool(exported.troubles))
            assert f"dbus-1/system.d/{NAME}.conf" in exported.troubles[0]

    run_async(work())


def test_a_name_that_is_taken_from_us_is_told(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            call = (DRIVER, DRIVER_PATH, DRIVER, "RequestName", "su", [NAME, 2])
            assert await client.call(*call, returns="u") == [1]
            await until(lambda: exported.named == [True, False])
            assert "another program has taken the name" in exported.troubles[0]

    run_async(work())
