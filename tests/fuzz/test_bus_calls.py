"""A thousand odd calls by the server's own introspection: each has its answer, nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

import pytest

from guestctl.host.bus import BusError, SystemBus
from guestctl.host.bus_interface import INTROSPECTABLE
from tests.unit.echo import connected
from tests.unit.exporting import LEAF, NAME, ROOT, Raw, Shop, ask, raw, shop
from tests.unit.private_bus import PrivateBus, open_fds, private_bus, until

from .chance import dice, seeds
from .odd_calls import odd_call

#: How many are sent before their answers are waited for: beyond what a connection may have at once.
AT_ONCE = 10
#: Bytes by which the process may grow: its allocator keeps some.
SLACK = 4 << 20
#: An error of the server's own, or none.
KNOWN = "org.freedesktop.DBus.Error."


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as bus:
        yield bus


def memory() -> int:
    """Bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def flood(client: Raw, xml: str, block: range) -> None:
    """A call for each seed."""
    for first in range(block.start, block.stop, AT_ONCE):
        serials = []
        for seed in range(first, min(first + AT_ONCE, block.stop)):
            chance = dice(seed)
            interface, member, signature, body = odd_call(xml, chance)
            path = chance.choice((ROOT, ROOT, LEAF, "/org", "/nowhere"))
            fields = {"interface": interface, "path": path}
            serials.append(client.call(member, signature, *body, **fields))
        await answered(client, serials)
        names = [each.header.error_name for each in client.heard if each.header.error_name]
        assert all(name.startswith(KNOWN) for name in names)
        client.heard.clear()


async def answered(client: Raw, serials: list[int]) -> None:
    """Returns when all of them are."""
    await until(lambda: all(map(client.answer, serials)))


@seeds(1000, size=250)
def test_every_call_has_its_answer_and_nothing_stays(block: range, bus: PrivateBus) -> None:
    async def scene() -> None:
        async with shop(bus.address) as exported, raw(bus) as client, connected(bus) as honest:
            (xml,) = await ask(honest, "Introspect", interface=INTROSPECTABLE.name, returns="s")
            await flood(client, xml, range(-100, 0))
            before = memory(), open_fds(), len(asyncio.all_tasks())
            await flood(client, xml, block)
            after = memory(), open_fds(), len(asyncio.all_tasks())
            assert after[0] - before[0] < SLACK
            assert after[1:] == before[1:]
            await still_sound(exported, honest)

    asyncio.run(scene())


async def still_sound(exported: Shop, honest: SystemBus) -> None:
    """An honest call is answered, and what was told are the shop's own faults."""
    assert await ask(honest, "Echo", "s", "on") == ["on"]
    assert exported.named == [True]
    assert all("Crash" in text or "Misfit" in text for text in exported.troubles)
    with contextlib.suppress(BusError):
        await honest.call(NAME, ROOT, "", "Unsubscribe", returns="")
