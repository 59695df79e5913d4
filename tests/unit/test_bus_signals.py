"""Signals on a real bus: from whom they are taken, and who hears them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from guestctl.host.bus import DRIVER, Rule
from guestctl.host.bus_values import Variant
from tests.unit.echo import INTERFACE, NAME, PATH, connected, echo
from tests.unit.private_bus import FakeService, PrivateBus, until
from tests.unit.running import run_async


def test_signals_from_the_owner_of_the_name_alone(bus: PrivateBus) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []
        impostor = FakeService("org.example.Impostor", PATH, INTERFACE)
        await impostor.connect(bus.address)
        async with echo(bus) as service, connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "v", PATH), heard.append)
            ours = client._connection.unique_name
            impostor.emit("Rang", "v", Variant("s", "forged"), to=ours)
            service.emit("Sang", "s", "another signal")
            service.emit("Rang", "v", Variant("s", "true"))
            await until(lambda: bool(heard))
            assert heard == [["true"]]
        impostor.leave()

    run_async(work())


def test_signals_of_a_sender_that_comes_back(bus: PrivateBus) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []
        async with connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "s"), heard.append)
            for text in ("first", "second"):
                async with echo(bus) as service:
                    service.emit("Rang", "s", text)
                    await until(partial(heard.__contains__, [text]))

    run_async(work())


def test_who_owns_a_name(bus: PrivateBus) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []
        async with connected(bus) as client:
            rule = Rule(DRIVER, DRIVER, "NameOwnerChanged", "sss", arg0=NAME)
            await client.subscribe(rule, heard.append)
            other = FakeService("org.example.Other", PATH, INTERFACE)
            await other.connect(bus.address)
            async with echo(bus):
                await until(lambda: bool(heard))
            await until(lambda: len(heard) == 2)
            assert [(name, bool(owner)) for name, _, owner in heard] == [
                (NAME, True),
                (NAME, False),
            ]
            other.leave()

    run_async(work())


def test_a_handler_that_raises_costs_no_other_signal(
    bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        heard: list[list[Any]] = []

        def fail(_: list[Any]) -> None:
            raise ValueError("in the handler")

        async with echo(bus) as service, connected(bus) as client:
            await client.subscribe(Rule(NAME, INTERFACE, "Bad", "s"), fail)
            await client.subscribe(Rule(NAME, INTERFACE, "Rang", "s"), heard.append)
            service.emit("Bad", "s", "")
            service.emit("Rang", "s", "after")
            await until(lambda: bool(heard))

    run_async(work())
    assert "in the handler" in caplog.text
