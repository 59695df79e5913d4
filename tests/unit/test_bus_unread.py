"""Who does not read is sent no more than a share: a bus counts what it keeps as its sender's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guestctl.host import bus_unread
from guestctl.host.bus import NO_OWNER, BusError
from guestctl.host.bus_errors import Standard
from guestctl.host.bus_unread import MIB, Unread
from tests.unit.echo import connected
from tests.unit.exporting import ROOT, SHOP, Raw, ask, raw, rung, shop, subscribed
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async

KB200 = 200_000


class Bus:
    """A bus that tells what it keeps for whom."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.error = NO_OWNER
        self.asked: list[str] = []

    async def ask(self, _: str, __: str, body: tuple[str], ___: str, **____: str) -> list[Any]:
        self.asked += body
        await asyncio.sleep(0)
        if body[0] not in self.kept:
            raise BusError(self.error, "so it is")
        return [{"OutgoingBytes": self.kept[body[0]]}]


def unread(bus: Bus) -> Unread:
    """Of connections whose names begin with their users' numbers."""

    def uid_of(name: str) -> int | None:
        return None if name.startswith("?") else int(name.partition(".")[0])

    return Unread(bus, uid_of)  # type: ignore[arg-type]


def test_a_connection_a_user_and_all_users_have_shares() -> None:
    async def work() -> None:
        bus = Bus()
        accounts = unread(bus)
        for name, size in {
            "1.1": 17,
            "2.1": 12,
            "2.2": 12,
            "2.3": 12,
            "0.1": 10,
            "0.2": 90,
        }.items():
            bus.kept[name] = size * MIB
            accounts.sent(name, size * MIB)
        room = {name: await accounts.has_room(name) for name in ("1.1", "1.2", "2.1", "2.4", "3.1")}
        assert room == {"1.1": False, "1.2": True, "2.1": False, "2.4": False, "3.1": True}
        assert await accounts.has_room("0.1")
        assert not await accounts.has_room("0.2")
        bus.kept["3.2"] = 12 * MIB
        accounts.sent("3.2", 12 * MIB)
        assert not await accounts.has_room("4.1")  # users have 65
        assert not accounts.may_have("?", MIB // 2)
        assert accounts.may_have("?", MIB)
        assert await accounts.has_room("0.1")

    run_async(work())


def test_what_was_read_and_who_has_left_count_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_unread, "PAUSE", 0.0)

    async def work() -> None:
        bus = Bus()
        accounts = unread(bus)
        for number in range(40):
            accounts.sent(f"1.{number}", MIB)
        bus.kept["1.7"] = 0
        assert await accounts.has_room("1.1")
        assert not accounts._accounts
        accounts.sent("1.7", 17 * MIB)
        assert await accounts.has_room("1.7")
        accounts.sent("1.7", 3 * MIB)
        assert not accounts.may_have_signal("1.7")
        await until(lambda: accounts.may_have_signal("1.7"))

    run_async(work())


def test_a_flood_does_not_have_the_bus_asked_all_the_time() -> None:
    async def work() -> None:
        bus = Bus()
        bus.kept["1.1"] = 17 * MIB
        accounts = unread(bus)
        accounts.sent("1.1", 17 * MIB)
        for _ in range(100):
            assert not await accounts.has_room("1.1")
            assert not accounts.may_have("1.1")
        assert bus.asked == ["1.1"]

    run_async(work())


def test_many_who_come_and_go_leave_nothing() -> None:
    async def work() -> None:
        bus = Bus()
        accounts = unread(bus)
        for number in range(2000):
            accounts.sent(f"0.{number}", 100)
            await asyncio.sleep(0)
        assert len(accounts._accounts) <= 300
        assert len(bus.asked) <= 2000

    run_async(work())


def test_a_bus_that_does_not_tell_has_no_shares() -> None:
    async def work() -> None:
        bus = Bus()
        bus.error = Standard.UNKNOWN_METHOD
        accounts = unread(bus)
        accounts.sent("1.1", 17 * MIB)
        assert await accounts.has_room("1.1")
        accounts.sent("1.1", 17 * MIB)
        assert accounts.may_have("1.1")
        assert bus.asked == ["1.1"]

    run_async(work())


def errors(client: Raw) -> list[str]:
    return [each.header.error_name for each in client.heard if each.header.error_name]


def test_who_reads_nothing_gets_its_share_and_reading_has_more(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_unread, "OF_ONE", MIB)
    monkeypatch.setattr(bus_unread, "PAUSE", 0.05)

    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as idle, connected(bus) as reading:
            idle.reads(False)
            for _ in range(4):
                for _ in range(8):
                    idle.call("Much", "u", KB200)
                assert await ask(reading, "Echo", "s", "on") == ["on"]
                await asyncio.sleep(0.02)
            assert 5 <= exported.done.count("Much") <= 20
            idle.reads(True)
            await until(lambda: Standard.LIMITS_EXCEEDED in errors(idle))
            await asyncio.sleep(0.1)
            last = await idle.wait(idle.call("Much", "u", KB200))
            assert not last.header.error_name
            for _ in range(20):  # who reads has as much as it likes
                await ask(reading, "Much", "u", KB200)

    run_async(work())


def test_a_subscriber_that_reads_nothing_is_left_out_until_it_does(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_unread, "PAUSE", 0.01)

    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as idle, raw(bus) as reading:
            for client in (idle, reading):
                await subscribed(client)
            idle.reads(False)
            for number in range(30):
                exported.server.emit(ROOT, SHOP, "Rang", number, "y" * KB200)
                await until(lambda: len(rung(reading)) > number)  # noqa: B023 - it is waited for
            idle.reads(True)
            while (numbers := rung(idle))[-1:] != [30]:
                exported.server.emit(ROOT, SHOP, "Rang", 30, "y")
                await asyncio.sleep(0.02)
            assert rung(reading)[:31] == list(range(31))
            assert numbers.index(30) < 20

    run_async(work())
