"""Callers of all kinds on a real bus: floods, those that never read, those that leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket

import pytest

from guestctl.host import bus_outbox, bus_server
from guestctl.host.bus import BusError
from guestctl.host.bus_callers import IN_ALL, OF_A_CONNECTION, OF_A_USER, Callers, Place
from guestctl.host.bus_errors import CallError, Standard
from guestctl.host.bus_messages import (
    DRIVER,
    DRIVER_PATH,
    ERROR,
    METHOD_CALL,
    METHOD_RETURN,
    SIGNAL,
)
from guestctl.host.dbus_library import Outgoing
from tests.unit.echo import connected
from tests.unit.exporting import NAME, ROOT, SHOP, Raw, ask, raw, rung, shop, subscribed
from tests.unit.marshalled import encode
from tests.unit.private_bus import PrivateBus, open_fds, until
from tests.unit.running import run_async

KB20, MIB = 20_000, 1 << 20


def errors(client: Raw) -> list[str]:
    return [each.header.error_name for each in client.heard if each.header.kind == ERROR]


def answers(client: Raw) -> int:
    return sum(each.header.kind == METHOD_RETURN for each in client.heard)


# -- how much


def test_a_flood_is_refused_and_others_are_served(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as flood, connected(bus) as client:
            exported.gate.clear()
            for _ in range(500):
                flood.call("Look")
            await until(lambda: len(errors(flood)) == 500 - OF_A_CONNECTION)
            assert set(errors(flood)) == {Standard.LIMITS_EXCEEDED}
            asking = asyncio.create_task(ask(client, "Echo", "s", "on"))
            await until(lambda: "Echo" in exported.begun)
            exported.gate.set()
            assert await asking == ["on"]
            await until(lambda: answers(flood) == OF_A_CONNECTION)
            for _ in range(OF_A_CONNECTION):  # as before
                flood.call("Look")
            await until(lambda: answers(flood) == 2 * OF_A_CONNECTION)

    run_async(work())


def test_many_connections_have_so_many_calls_in_all(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, contextlib.AsyncExitStack() as stack:
            exported.gate.clear()
            count = IN_ALL // OF_A_CONNECTION + 2
            clients = [await stack.enter_async_context(raw(bus)) for _ in range(count)]
            for client in clients:
                for _ in range(OF_A_CONNECTION):
                    client.call("Look")
            most = IN_ALL if os.geteuid() == 0 else OF_A_USER
            refused = count * OF_A_CONNECTION - most
            await until(lambda: sum(len(errors(client)) for client in clients) == refused)
            await until(lambda: len(exported.begun) == most)
            exported.gate.set()
            await until(lambda: len(exported.done) == most)

    run_async(work())


class Told:
    """A bus that knows every caller: as a user of the number in its name."""

    def __init__(self) -> None:
        self.asked = 0

    def tell(self, *_: object) -> None:
        """Takes it."""

    async def ask(self, _: str, __: str, body: tuple[str], ___: str) -> list[int]:
        self.asked += 1
        return [int(body[0].rpartition(".")[2]) // 100]


def test_a_user_has_a_share_and_all_users_leave_some_for_root() -> None:
    async def work() -> None:
        told = Told()
        callers = Callers(told)  # type: ignore[arg-type]
        places: list[Place] = []

        async def begin(number: int) -> None:
            callers.check_room(f":1.{number}")
            place = callers.begun(f":1.{number}")
            caller = await callers.identify(place.name, interactive=False)
            assert caller
            try:
                callers.count(place, caller.uid)
            except CallError:
                callers.ended(place)
                raise
            places.append(place)

        for user in (100, 200, 300, 400):
            for number in range(OF_A_USER):
                with contextlib.suppress(CallError):
                    await begin(user + number % 8)
        assert callers._of_users == {1: 32, 2: 32, 3: 32, 4: 16}
        asked = told.asked
        with pytest.raises(CallError, match="32 of this user"):
            callers.check_room(":1.101")
        with pytest.raises(CallError, match="112 of all users but root"):
            await begin(599)
        for number in range(16):
            await begin(number)
        with pytest.raises(CallError, match="128 in all"):
            callers.check_room(":1.2")
        assert told.asked == asked + 2 * 17  # about each connection once
        for place in 2 * places:
            callers.ended(place)
        assert not callers._of_users
        assert not callers._of_connections

    run_async(work())


# -- who does not read


def test_who_never_reads_answers_and_signals_costs_nobody_else(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, contextlib.AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(raw(bus)) for _ in range(3)]
            for client in idle:
                await subscribed(client)
                client.reads(False)
            reading = await stack.enter_async_context(connected(bus))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for number in range(15):
                idle[number % 3].call("Much", "u", 10 * KB20)
                exported.server.emit(ROOT, SHOP, "Rang", number, "y" * KB20)
                assert await ask(reading, "Echo", "s", "on") == ["on"]
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB
            assert exported.named == [True]
            assert exported.troubles == []

    run_async(work())


def test_a_bus_that_takes_nothing_more_is_left_and_joined_anew(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbus-daemon stops reading from whose messages others do not read; here after 1 MiB."""
    monkeypatch.setattr(bus_outbox, "PATIENCE", 0.3)
    monkeypatch.setattr(bus_server, "FIRST_WAIT", 0.05)
    limited(bus, max_incoming_bytes=MIB)

    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as idle, connected(bus) as client:
            idle.reads(False)
            for _ in range(OF_A_CONNECTION):
                idle.call("Much", "u", MIB)
            await until(lambda: exported.named == [True, False, True])
            assert "has taken nothing" in exported.troubles[0]
            assert await ask(client, "Echo", "s", "on") == ["on"]

    run_async(work())


def limited(bus: PrivateBus, **limits: int) -> None:
    """Start it anew with such limits."""
    bus.kill()
    path = bus.folder / "bus.conf"
    lines = "".join(f'<limit name="{name}">{value}</limit>' for name, value in limits.items())
    path.write_text(path.read_text().replace("</busconfig>", f"{lines}</busconfig>"))
    bus.start()


def test_an_answer_without_end_is_an_error(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            with pytest.raises(BusError) as caught:
                await ask(client, "Much", "u", 17 * MIB)
            assert caught.value.name == Standard.LIMITS_EXCEEDED
            (much,) = await ask(client, "Much", "u", 8 * MIB, longest=9 * MIB)
            assert len(much) == 8 * MIB
            assert exported.named == [True]

    run_async(work())


def test_signals_are_dropped_where_much_waits(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as client:
            await subscribed(client)
            session = exported.server._session
            assert session
            assert bus.process
            bus.process.send_signal(signal.SIGSTOP)
            for number in range(300):
                exported.server.emit(ROOT, SHOP, "Rang", number, "y" * KB20)
            assert MIB // 2 < session._connection.waiting < MIB + 2 * KB20
            bus.process.send_signal(signal.SIGCONT)
            await until(lambda: not session._connection.waiting)
            while (numbers := rung(client))[-1:] != [300]:
                exported.server.emit(ROOT, SHOP, "Rang", 300, "y")
                await asyncio.sleep(0.01)
            before = numbers.index(300)
            assert numbers[:before] == list(range(before))
            assert before < 100

    run_async(work())


# -- who sends what nobody takes


def test_descriptors_sent_with_a_call_do_not_stay(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address), raw(bus) as client, connected(bus) as other:
            await ask(other, "Look")
            before = open_fds()
            for serial in range(100, 150):
                send_descriptors(client, serial)
            await until(lambda: len(errors(client)) == 50)
            assert set(errors(client)) == {"org.freedesktop.DBus.Error.NotSupported"}
            assert open_fds() == before
            assert await ask(other, "Echo", "s", "on") == ["on"]

    run_async(work())


def send_descriptors(client: Raw, serial: int) -> None:
    fields = {"destination": NAME, "path": ROOT, "interface": SHOP.name, "member": "Echo"}
    data = bytearray(encode(METHOD_CALL, ["x"], **fields, signature="s", unix_fds=2))
    data[8:12] = serial.to_bytes(4, "little")
    sock = client.connection._socket
    assert sock
    assert socket.send_fds(sock, [bytes(data)], [0, 1]) == len(data)


def test_replies_and_signals_of_strangers_are_not_read(bus: PrivateBus) -> None:
    """A reply that nobody waits for, and the departure of a subscriber who is still there."""

    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as client, raw(bus) as stranger:
            await subscribed(client)
            name = client.connection.unique_name
            session = exported.server._session
            assert session
            to = session._connection.unique_name
            gone = Outgoing(SIGNAL, to, DRIVER_PATH, DRIVER, "NameOwnerChanged", "sss")
            stranger.connection.send(gone._replace(body=(name, name, "")))
            for number in range(1, 10):
                reply = Outgoing(METHOD_RETURN, to, reply_serial=number)
                stranger.connection.send(reply)
            serial = stranger.call("Look")
            await until(lambda: stranger.answer(serial) is not None)
            assert exported.server.has_subscribers

    run_async(work())
