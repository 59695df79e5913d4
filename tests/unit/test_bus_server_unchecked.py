"""Calls past a bus that checks nothing in them, as dbus-broker does with bodies."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from guestctl.host.bus_errors import Standard
from guestctl.host.bus_messages import DRIVER, ERROR, METHOD_CALL, METHOD_RETURN, SIGNAL, Message
from tests.unit.exporting import ROOT, SHOP, Shop, shop
from tests.unit.lenient_bus import LenientBus
from tests.unit.marshalled import encode, encode_raw
from tests.unit.private_bus import until
from tests.unit.running import run_async

CALLER = ":1.7"
CALL = {"path": ROOT, "interface": SHOP.name, "sender": CALLER}


@contextlib.asynccontextmanager
async def lenient_shop(folder: Path) -> AsyncIterator[tuple[LenientBus, Shop]]:
    """Such a bus, and the objects on it."""
    bus = LenientBus(folder, {})
    async with await asyncio.start_unix_server(bus.serve, bus.path):
        async with shop(f"unix:path={bus.path}") as exported:
            yield bus, exported
        await bus.ended.wait()


async def answer(bus: LenientBus) -> Message:
    """What the server sends next to a caller."""
    message = await bus.calls.get()
    assert message.header.kind in (METHOD_RETURN, ERROR)
    return message


async def still_answers(bus: LenientBus) -> None:
    bus.send(METHOD_CALL, ["on"], **CALL, member="Echo", signature="s")
    assert (await answer(bus)).body == ["on"]


@pytest.mark.parametrize(
    ("member", "signature", "body"),
    [
        ("Echo", "s", b""),
        ("Echo", "s", b"\xff\xff\xff\xff"),
        ("Echo", "s", b"\1\0\0\0\0\0"),
        ("Echo", "s", b"\2\0\0\0\xff\xfe\0"),
        ("Everything", "asa{sv}a(sid)", b"\xf0\xff\xff\x7f"),
        ("Everything", "asa{sv}a(sid)", bytes(13)),
        ("Look", "", b"more"),
    ],
)
def test_a_body_that_is_none_is_an_error_of_its_call(
    tmp_path: Path, member: str, signature: str, body: bytes
) -> None:
    async def work() -> None:
        async with lenient_shop(tmp_path) as (bus, exported):
            fields = {**CALL, "member": member, "signature": signature}
            bus.send_bytes(encode_raw(METHOD_CALL, body, **fields))
            assert (await answer(bus)).header.error_name == Standard.INVALID_ARGS
            await still_answers(bus)
            assert exported.begun == ["Echo"]

    run_async(work())


def test_a_body_of_8_mib_is_passed_over(tmp_path: Path) -> None:
    async def work() -> None:
        async with lenient_shop(tmp_path) as (bus, _):
            fields = {**CALL, "member": "Echo", "signature": "s"}
            bus.send_bytes(encode_raw(METHOD_CALL, bytes(8 << 20), **fields))
            assert (await answer(bus)).header.error_name == Standard.LIMITS_EXCEEDED
            await still_answers(bus)

    run_async(work())


@pytest.mark.parametrize("sender", ["", DRIVER, "org.example.Other"])
def test_calls_of_nobody_are_not_answered(tmp_path: Path, sender: str) -> None:
    async def work() -> None:
        async with lenient_shop(tmp_path) as (bus, exported):
            bus.send(METHOD_CALL, ["x"], **{**CALL, "sender": sender}, member="Echo", signature="s")
            await still_answers(bus)
            assert exported.begun == ["Echo"]

    run_async(work())


def test_odd_messages_by_the_hundred_leave_no_task_and_no_count(tmp_path: Path) -> None:
    """Of whatever kind, with bytes changed in fields and body."""
    chance = random.Random(14)

    def odd() -> bytes:
        kind = chance.choice([METHOD_CALL] * 4 + [SIGNAL, METHOD_RETURN, ERROR, 0, 5, 255])
        method = chance.choice(SHOP.methods)
        signature = "".join(row.signature for row in method.takes)
        fields: dict[str, Any] = {**CALL, "member": method.name, "signature": signature}
        fields["sender"] = chance.choice([CALLER, ":1.8", DRIVER])
        body = chance.choice([marshal(signature), chance.randbytes(chance.randrange(60))])
        data = bytearray(encode_raw(kind, body, **fields, reply_serial=chance.randrange(9)))
        for _ in range(chance.randrange(3)):  # the sizes stay, which every bus checks
            data[chance.randrange(16, len(data))] = chance.randrange(256)
        return bytes(data)

    async def work() -> None:
        async with lenient_shop(tmp_path) as (bus, exported):
            before = len(asyncio.all_tasks())
            for _ in range(500):
                bus.send_bytes(odd())
                await asyncio.sleep(0)
            while "uub" not in answered(bus):  # it may have too many under way
                bus.send(METHOD_CALL, [], **CALL, member="Whoami")
                await asyncio.sleep(0.02)
            await until(lambda: len(asyncio.all_tasks()) == before)
            session = exported.server._session
            assert session
            assert not session._answering._callers._of_connections
            assert not session._answering._callers._of_users

    run_async(work())


def answered(bus: LenientBus) -> list[str]:
    """The forms of the answers that have come."""
    found = []
    while not bus.calls.empty():
        found.append(bus.calls.get_nowait().header.signature)
    return found


def marshal(signature: str) -> bytes:
    values: dict[str, list[Any]] = {"s": ["x"], "u": [1], "asa{sv}a(sid)": [[], {}, []], "": []}
    whole = encode(
        SIGNAL, values[signature], path="/a", interface="a.b", member="c", signature=signature
    )
    return whole[len(whole) - int.from_bytes(whole[4:8], "little") :]
