"""What strangers send, and answers of another form: none of it is believed, or read."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from pathlib import Path
from typing import Any

import pytest

from guestctl.host.bus import BusError, Rule
from guestctl.host.bus_messages import (
    DRIVER,
    ERROR,
    LONGEST_HEADER,
    METHOD_CALL,
    METHOD_RETURN,
    SIGNAL,
)
from guestctl.host.bus_values import Variant
from tests.unit.lenient_bus import LenientBus, lenient_bus
from tests.unit.marshalled import encode, encode_raw
from tests.unit.private_bus import until
from tests.unit.running import run_async

NAME, PATH, INTERFACE = "org.example.Login", "/org/example/Login", "org.example.Login"
OWNER, STRANGER = ":1.7", ":1.666"
OWNERS = {NAME: OWNER}
CALL = (NAME, PATH, INTERFACE, "Preparing")
RANG = {"path": PATH, "interface": INTERFACE, "member": "Rang", "signature": "b"}
MIB = 1 << 20


def reply(bus: LenientBus, serial: int, answer: bool = False, **fields: Any) -> None:
    whole = {"sender": OWNER, "reply_serial": serial, "signature": "b", **fields}
    bus.send(whole.pop("kind", METHOD_RETURN), [answer], **whole)


@pytest.mark.parametrize(
    "forged",
    [
        {"sender": STRANGER},
        {"sender": STRANGER, "kind": SIGNAL, **RANG},
        {"sender": OWNER, "kind": SIGNAL, **RANG},
        {"sender": OWNER, "kind": METHOD_CALL, **RANG},
        {"sender": STRANGER, "kind": ERROR, "error_name": "org.example.No", "signature": "b"},
        {"sender": DRIVER},
        {"sender": ":1.7.7"},
    ],
)
def test_only_a_reply_of_who_was_called_is_an_answer(
    tmp_path: Path, forged: dict[str, Any]
) -> None:
    """Seen with dbus-broker: a stranger's signal with the serial number of a call that was waited
    for was its answer, and the guests of a host that stayed up were saved.
    """

    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            asking = asyncio.create_task(client.call(*CALL, returns="b"))
            call = await bus.calls.get()
            for serial in range(call.header.serial + 5):
                reply(bus, serial, True, **forged)
            reply(bus, call.header.serial)
            assert await asking == [False]

    run_async(work())


def test_the_bus_itself_says_that_nobody_is_there(tmp_path: Path) -> None:
    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            asking = asyncio.create_task(client.call(*CALL, returns="b"))
            serial = (await bus.calls.get()).header.serial
            name = "org.freedesktop.DBus.Error.ServiceUnknown"
            fields = {"sender": DRIVER, "error_name": name, "signature": "s"}
            bus.send(ERROR, ["x" * 100_000], reply_serial=serial, **fields)
            with pytest.raises(BusError) as caught:
                await asking
            assert caught.value.name == name
            assert len(str(caught.value)) <= 500

    run_async(work())


@pytest.mark.parametrize(
    ("signature", "body"), [("", []), ("s", ["no"]), ("u", [1]), ("bb", [True, True]), ("h", [0])]
)
def test_an_answer_of_another_form_is_an_error(
    tmp_path: Path, signature: str, body: list[Any]
) -> None:
    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            asking = asyncio.create_task(client.call(*CALL, returns="b"))
            serial = (await bus.calls.get()).header.serial
            fields = {"sender": OWNER, "reply_serial": serial, "signature": signature}
            bus.send(METHOD_RETURN, body, **fields)
            with pytest.raises(BusError, match="Preparing: the answer is of the form"):
                await asking

    run_async(work())


@pytest.mark.parametrize("value", [Variant("s", "running"), Variant("as", []), Variant("u", 1)])
def test_a_property_of_another_form_is_an_error(tmp_path: Path, value: Variant) -> None:
    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            asking = asyncio.create_task(client.get_property(NAME, PATH, INTERFACE, "Delay", "t"))
            serial = (await bus.calls.get()).header.serial
            fields = {"sender": OWNER, "reply_serial": serial, "signature": "v"}
            bus.send(METHOD_RETURN, [value], **fields)
            with pytest.raises(BusError, match="Delay: the answer is of the form"):
                await asking

    run_async(work())


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        ("s", b"\xff\xff\xff\xff"),
        ("s", b"\2\0\0\0\xff\xfe\0"),
        ("v", b"\7((((((("),
        ("as", b"\xf0\xff\xff\x7f"),
        ("a{sv}", b"\1\0\0\0"),
        ("b", b""),
        ("b", bytes(2 * MIB)),
    ],
)
def test_a_body_that_cannot_be_read_fails_its_call_alone(
    tmp_path: Path, signature: str, body: bytes
) -> None:
    """dbus-broker checks no bodies."""

    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            asking = asyncio.create_task(client.call(*CALL, returns=signature))
            serial = (await bus.calls.get()).header.serial
            fields = {"sender": OWNER, "reply_serial": serial, "signature": signature}
            bus.send_bytes(encode_raw(METHOD_RETURN, body, **fields))
            with pytest.raises(BusError, match="Preparing: the answer"):
                await asking
            asking = asyncio.create_task(client.call(*CALL, returns="b"))
            reply(bus, (await bus.calls.get()).header.serial)
            assert await asking == [False]

    run_async(work())


def test_signals_of_another_form_are_not_heard(tmp_path: Path) -> None:
    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            heard: list[list[Any]] = []
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "b", PATH), heard.append)
            for signature, body in (("", b""), ("s", b"\0\0\0\0\0"), ("b", b"\1")):
                fields = {**RANG, "sender": OWNER, "signature": signature}
                bus.send_bytes(encode_raw(SIGNAL, body, **fields))
            for sender in (STRANGER, OWNER):
                bus.send(SIGNAL, [sender == OWNER], sender=sender, **RANG)
            await until(lambda: bool(heard))
            assert heard == [[True]]

    run_async(work())


# -- much of it


@pytest.mark.parametrize("sender", [STRANGER, OWNER])
def test_a_huge_signal_costs_next_to_nothing(tmp_path: Path, sender: str) -> None:
    """The library took 40 s and 600 MB for one of 32 MiB, and the watchdog ended the service."""
    body = [[["x" * 10, Variant("s", "y" * 10)] for _ in range(100)]]
    piece = encode(SIGNAL, body, **{**RANG, "sender": sender, "signature": "a(sv)"})
    head = encode_raw(SIGNAL, bytes(64 * MIB), **{**RANG, "sender": sender, "signature": "ay"})

    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "b", PATH), print)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            bus.send_bytes(head)
            for _ in range(1000):
                bus.send_bytes(piece)
            asking = asyncio.create_task(client.call(*CALL, returns="b", timeout=8))
            began = time.process_time()
            reply(bus, (await bus.calls.get()).header.serial)
            assert await asking == [False]
            assert time.process_time() - began < 3
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert grown < 200_000  # kB; nearly all of it is the sender's

    run_async(work())


def test_others_have_their_turn_while_a_flood_is_passed_over(tmp_path: Path) -> None:
    flood = encode(SIGNAL, [True], sender=STRANGER, **RANG) * 20_000

    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            # Of the processor: a busy machine is no fault of the code.
            longest, last = 0.0, time.process_time()
            bus.send_bytes(flood)
            asking = asyncio.create_task(client.call(*CALL, returns="b"))
            while bus.calls.empty():
                await asyncio.sleep(0)
                longest, last = max(longest, time.process_time() - last), time.process_time()
            reply(bus, bus.calls.get_nowait().header.serial)
            while not asking.done():
                await asyncio.sleep(0)
                longest, last = max(longest, time.process_time() - last), time.process_time()
            assert longest < 0.3

    run_async(work())


def test_a_header_without_end_is_passed_over(tmp_path: Path) -> None:
    long = {**RANG, "path": "/" + "a" * 2 * LONGEST_HEADER}

    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            asking = asyncio.create_task(client.call(*CALL, returns="b"))
            serial = (await bus.calls.get()).header.serial
            bus.send(SIGNAL, [True], sender=OWNER, **long)
            reply(bus, serial)
            assert await asking == [False]

    run_async(work())


def test_odd_messages_by_the_hundred(tmp_path: Path) -> None:
    """Of whatever kind, with bytes changed in fields and body: the connection goes on."""
    chance = random.Random(14)

    def odd() -> bytes:
        kind = chance.choice([SIGNAL, SIGNAL, METHOD_CALL, METHOD_RETURN, ERROR, 5, 255])
        fields = {**RANG, "sender": chance.choice([STRANGER, OWNER, DRIVER]), "reply_serial": 1}
        body = chance.randbytes(chance.randrange(40))
        data = bytearray(encode_raw(kind, body, **fields))
        for _ in range(chance.randrange(4)):  # the sizes stay, which every bus checks
            data[chance.randrange(16, len(data))] = chance.randrange(256)
        return bytes(data)

    async def work() -> None:
        async with lenient_bus(tmp_path, OWNERS) as (bus, client):
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "b", PATH), lambda _: None)
            for _ in range(500):
                bus.send_bytes(odd())
            asking = asyncio.create_task(client.call(*CALL, returns="b"))
            reply(bus, (await bus.calls.get()).header.serial)
            assert await asking == [False]

    run_async(work())
