"""What guests' own XML says of their users' shutdowns, in the service."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from guestctl.config.config import Config
from guestctl.config.settings import General
from guestctl.model.guest import OwnSetting
from guestctl.model.policy_change import PolicyChange

from .served import IGNORED, LONG, A, guest
from .sim.life import Life
from .sim.service import ServedHost, tell

KIOSK = replace(guest("a"), policy=(OwnSetting("user-shutdown", "restart"),))


async def _shut_down(host: ServedHost) -> None:
    await host.serve(LONG)
    host.happen("a powers itself off")
    await asyncio.sleep(LONG)


def test_a_kiosk_is_one_by_its_own_xml() -> None:
    async def story(host: ServedHost) -> None:
        await _shut_down(host)
        assert host.up == "a b"

    tell(story, [KIOSK, A[1]])


def test_it_goes_over_the_section() -> None:
    async def story(host: ServedHost) -> None:
        await _shut_down(host)
        assert host.up == "a b"

    tell(story, [KIOSK, A[1]], IGNORED)


async def take_away(host: ServedHost, name: str, key: str) -> None:
    """What `guestctl policy NAME --unset KEY` has libvirt do."""
    life = Life(host)
    (hypervisor,) = life.context.hypervisors.values()
    guest = next(one for one in await hypervisor.guests() if one.name == name)
    await hypervisor.change_policy(guest.id.uuid, PolicyChange(taken=frozenset({key})))
    await hypervisor.close()


def test_who_waits_for_less_from_then_on_is_tried_at_once() -> None:
    """Two hours after the boot it is tried every ten minutes."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.happen("b has no disk")
        await host.serve(7200)
        assert host.up == ""
        await take_away(host, "a", "requires")
        await asyncio.sleep(10)
        assert host.up == "a"

    needy = replace(guest("a"), policy=(OwnSetting("requires", "b"),))
    tell(story, [needy, A[1]])


def test_the_host_can_ignore_it() -> None:
    async def story(host: ServedHost) -> None:
        await _shut_down(host)
        assert host.up == "b"

    tell(story, [KIOSK, A[1]], Config(General(metadata=False)))
