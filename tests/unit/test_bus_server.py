"""Objects on a real bus: what they answer to calls that are good, and to calls that are not."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from guestctl.host.bus import BusError, SystemBus
from guestctl.host.bus_errors import Standard
from guestctl.host.bus_interface import INTROSPECTABLE, PEER, PROPERTIES, introspection
from guestctl.host.bus_messages import NO_REPLY_EXPECTED
from guestctl.host.bus_values import Variant
from tests.unit.echo import connected
from tests.unit.exporting import LEAF, NAME, ROOT, SHOP, ask, raw, shop
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async

MACHINE = Path("/etc/machine-id")
NOWHERE = "/org/example/nowhere"


async def refused(client: SystemBus, *call: Any, **options: Any) -> str:
    """The name of the error that it is answered with."""
    with pytest.raises(BusError) as caught:
        await ask(client, *call, **options)
    return caught.value.name


def test_a_call_has_its_answer_and_its_caller_is_known(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address), connected(bus) as client:
            assert await ask(client, "Echo", "s", "grüß dich") == ["grüß dich"]
            assert await ask(client, "Echo", "s", "on", path=LEAF, interface="") == ["on"]
            who = [os.geteuid(), os.getpid()]
            assert await ask(client, "Whoami") == [*who, False]
            assert await ask(client, "Whoami", interactive=True) == [*who, True]
            everything = [["a", ""], {"x": Variant("d", 0.5)}, [["ü", -1, 2.5]]]
            answer = await ask(client, "Everything", "asa{sv}a(sid)", *everything)
            assert answer == [["a", ""], {"x": 0.5}, [["ü", -1, 2.5]]]

    run_async(work())


def test_properties_are_read_and_nobody_sets_any(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address), connected(bus) as client:
            of_all = {"interface": PROPERTIES.name}
            every = {"Level": 7, "Names": ["a"], "Rows": [["x", 0.5]]}
            for name in (SHOP.name, ""):
                assert await ask(client, "GetAll", "s", name, returns="a{sv}", **of_all) == [every]
                assert await ask(client, "Get", "ss", name, "Level", returns="v", **of_all) == [7]
            assert await client.get_property(NAME, LEAF, SHOP.name, "Level", "u") == 7
            assert await ask(client, "GetAll", "s", PEER.name, returns="a{sv}", **of_all) == [{}]
            for call, error in {
                ("Get", "ss", SHOP.name, "No"): Standard.UNKNOWN_PROPERTY,
                ("Get", "ss", "a.b", "Level"): Standard.UNKNOWN_INTERFACE,
                ("GetAll", "s", "a.b"): Standard.UNKNOWN_INTERFACE,
                ("Set", "ssv", SHOP.name, "Level", Variant("u", 1)): Standard.PROPERTY_READ_ONLY,
                ("Set", "ssv", SHOP.name, "No", Variant("u", 1)): Standard.UNKNOWN_PROPERTY,
            }.items():
                assert await refused(client, *call, **of_all, returns="") == error, call

    run_async(work())


def test_what_is_not_allowed_is_not_done(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            exported.forbidden = {"sell"}
            assert await refused(client, "Look", path=LEAF) == Standard.ACCESS_DENIED
            await ask(client, "Look")
            assert exported.begun == ["Look"]
            exported.begun.clear()
            exported.forbidden = {"sell", "read"}
            assert await refused(client, "Sell") == Standard.ACCESS_DENIED
            assert await refused(client, "Look") == Standard.ACCESS_DENIED
            of_all = {"interface": PROPERTIES.name}
            denied = await refused(client, "GetAll", "s", SHOP.name, returns="a{sv}", **of_all)
            assert denied == Standard.ACCESS_DENIED
            # What every object has is nobody's secret, but which objects there are.
            await ask(client, "Ping", interface=PEER.name)
            (xml,) = await ask(client, "Introspect", returns="s", interface=INTROSPECTABLE.name)
            assert "leaf" not in xml
            assert exported.begun == []

    run_async(work())


@pytest.mark.parametrize(
    ("error", "call", "where"),
    [
        (Standard.UNKNOWN_METHOD, ("Nonsense",), {}),
        (Standard.UNKNOWN_METHOD, ("Nonsense",), {"interface": ""}),
        (Standard.UNKNOWN_INTERFACE, ("Echo", "s", "x"), {"interface": "org.example.Other"}),
        (Standard.UNKNOWN_OBJECT, ("Echo", "s", "x"), {"path": NOWHERE}),
        (Standard.UNKNOWN_INTERFACE, ("Echo", "s", "x"), {"path": "/org/example"}),
        (Standard.INVALID_ARGS, ("Echo",), {}),
        (Standard.INVALID_ARGS, ("Echo", "u", 1), {}),
        (Standard.INVALID_ARGS, ("Echo", "ss", "x", "y"), {}),
        (Standard.INVALID_ARGS, ("Look", "s", "x" * 100_000), {}),
        (Standard.LIMITS_EXCEEDED, ("Echo", "s", "x" * 66_000), {}),
    ],
)
def test_a_bad_call_is_refused_from_its_header(
    bus: PrivateBus, error: str, call: tuple[str, ...], where: dict[str, str]
) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            assert await refused(client, *call, **where) == error
            assert await ask(client, "Echo", "s", "on") == ["on"]
            assert exported.begun == ["Echo"]

    run_async(work())


def test_a_fault_of_ours_is_an_error_without_words_and_told_once(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            exported.values["Level"] = -1
            of_all = {"interface": PROPERTIES.name, "returns": "a{sv}"}
            for _ in range(3):
                with pytest.raises(BusError, match="internal error") as caught:
                    await ask(client, "Crash")
                assert caught.value.name == Standard.FAILED
                assert await refused(client, "Misfit") == Standard.FAILED
                assert await refused(client, "GetAll", "s", SHOP.name, **of_all) == Standard.FAILED
            crash, misfit, level = exported.troubles
            assert "Crash" in crash
            assert "secret" in crash
            assert "'no path'" in misfit
            assert "Level: -1" in level
            assert await ask(client, "Echo", "s", "on") == ["on"]

    run_async(work())


def test_who_wants_no_reply_gets_none_and_it_is_done(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address) as exported, raw(bus) as client:
            quiet = client.call("Sell", flags=NO_REPLY_EXPECTED)
            also = client.call("Nonsense", flags=NO_REPLY_EXPECTED)
            loud = client.call("Look")
            await until(lambda: client.answer(loud) is not None)
            assert exported.done == ["Sell", "Look"]
            assert client.answer(quiet) is None
            assert client.answer(also) is None

    run_async(work())


def test_text_that_no_bus_takes_is_sent_without_it(bus: PrivateBus) -> None:
    """A zero byte, and what a file's name that is no UTF-8 is read as."""

    async def work() -> None:
        async with shop(bus.address) as exported, connected(bus) as client:
            exported.values["Names"] = ["a\0b", "c\udcffd"]
            found = await client.get_property(NAME, ROOT, SHOP.name, "Names", "as")
            assert found == ["a\ufffdb", "c\ufffdd"]

    run_async(work())


def test_introspection_is_what_parsers_take(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address), connected(bus) as client:
            of_all = {"interface": INTROSPECTABLE.name, "returns": "s"}
            (xml,) = await ask(client, "Introspect", **of_all)
            node = ET.fromstring(xml)
            names = [each.get("name") for each in node.findall("interface")]
            assert names == [PEER.name, INTROSPECTABLE.name, PROPERTIES.name, SHOP.name]
            assert [each.get("name") for each in node.findall("node")] == ["leaf"]
            (xml,) = await ask(client, "Introspect", path="/org/example", **of_all)
            assert [each.get("name") for each in ET.fromstring(xml).findall("node")] == ["Shop"]
            await ask(client, "Ping", interface=PEER.name, path="/nowhere")
            (machine,) = await ask(client, "GetMachineId", interface=PEER.name, returns="s")
            assert machine == MACHINE.read_text().strip()  # noqa: ASYNC240 - it is short

    run_async(work())


def test_names_of_any_kind_are_read_as_they_are() -> None:
    names = ['a"b', "<c>", "d&amp;"]
    node = ET.fromstring(introspection((), names))
    assert [each.get("name") for each in node.findall("node")] == names


@pytest.mark.skipif(not shutil.which("busctl"), reason="systemd's busctl is not there")
def test_busctl_takes_it(bus: PrivateBus) -> None:
    async def work() -> None:
        async with shop(bus.address):
            shown = await busctl("introspect", NAME, ROOT)
            rows = [line.split()[:4] for line in shown.splitlines()]
            assert [".Everything", "method", "asa{sv}a(sid)", "asa{sv}a(sid)"] in rows
            assert [".Level", "property", "u", "7"] in rows
            assert [".Rang", "signal", "ts", "-"] in rows
            assert ROOT in await busctl("tree", "--list", NAME)
            called = await busctl("call", NAME, ROOT, SHOP.name, "Echo", "s", "hello")
            assert called == 's "hello"\n'

    async def busctl(*argv: str) -> str:
        whole = ["busctl", f"--address={bus.address}", *argv]
        return await asyncio.to_thread(subprocess.check_output, whole, text=True)

    run_async(work())
