"""Odd calls of org.guestctl1 by its own introspection, by who may only read and by who may all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from guestctl.control.interface import NAME, ROOT
from guestctl.host.bus_errors import Standard
from guestctl.host.bus_interface import INTROSPECTABLE
from guestctl.host.polkit import ALLOWED, Answer, Verdict
from guestctl.service import bus_export
from guestctl.service.bus_paths import guest_path
from tests.served import guest
from tests.sim.behaviour import Save
from tests.unit.exporting import Raw, raw
from tests.unit.private_bus import PrivateBus, private_bus
from tests.unit.served_bus import OnBus, caller, on_bus

from .chance import dice, seeds
from .odd_calls import odd_call

REFUSED = Answer(Verdict.REFUSED, "not permitted: root may")
#: One that odd calls name.
WEB = guest("web", save=Save(0.01))


class Polkit:
    """Says to every question what it is told to say."""

    answer = ALLOWED

    async def may(self, *_: object, **__: bool) -> Answer:
        """Whether somebody may act."""
        return self.answer


@pytest.fixture
def polkit(monkeypatch: pytest.MonkeyPatch) -> Polkit:
    """Whoever it is, they may read."""
    polkit, reading = Polkit(), Polkit()
    monkeypatch.setattr(bus_export, "may", polkit.may)
    monkeypatch.setattr(bus_export, "may_read", reading.may)
    return polkit


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    with private_bus() as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        yield bus


async def introspections(it: OnBus, client: Raw) -> dict[str, str]:
    """Of each kind of object; where nothing is, what the service has is asked for."""
    found: dict[str, str] = {}
    for path in (ROOT, guest_path(it.guest("web")), f"{ROOT}/run/1"):
        fields = {"path": path, "interface": INTROSPECTABLE.name, "destination": NAME}
        answer = await client.wait(client.call("Introspect", **fields))
        found[path] = found[ROOT] if answer.header.error_name else answer.body[0]
    return found


async def odd_answer(client: Raw, xml: dict[str, str], chance: random.Random) -> str:
    """The error that an odd call is answered with; empty where it is none."""
    path = chance.choice(list(xml))
    interface, member, signature, body = odd_call(xml[path], chance)
    fields = {"path": path, "interface": interface, "destination": NAME}
    answer = await client.wait(client.call(member, signature, *body, **fields))
    client.heard.clear()
    return answer.header.error_name


@seeds(500, size=100)
def test_who_may_only_read_gets_nothing_done(block: range, bus: PrivateBus, polkit: Polkit) -> None:
    polkit.answer = REFUSED

    async def scene() -> None:
        async with on_bus(bus, [WEB]) as it, raw(bus) as client, caller(bus) as honest:
            xml = await introspections(it, client)
            found = Counter([await odd_answer(client, xml, dice(seed)) for seed in block])
            assert found[Standard.ACCESS_DENIED]
            assert not found[Standard.FAILED]
            assert not it.host.service.log.runs
            assert not it.answers.marked
            ((row,),) = await honest.ask("ListGuests")
            assert row[0] == "web"

    asyncio.run(scene())


@seeds(500, size=100)
def test_every_call_of_who_may_all_has_its_answer(
    block: range, bus: PrivateBus, polkit: Polkit
) -> None:
    async def scene() -> None:
        async with on_bus(bus, [WEB]) as it, raw(bus) as client, caller(bus) as honest:
            xml = await introspections(it, client)
            found = Counter([await odd_answer(client, xml, dice(seed)) for seed in block])
            assert found[""]
            assert not found[Standard.FAILED]
            assert (await honest.ask("GetGuest", "web"))[0] in xml

    asyncio.run(scene())
