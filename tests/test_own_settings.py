"""What guests' own XML says of their users' shutdowns, in the service."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from guestctl.config.config import Config
from guestctl.config.settings import General
from guestctl.model.guest import OwnSetting

from .served import IGNORED, LONG, A, guest
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


def test_the_host_can_ignore_it() -> None:
    async def story(host: ServedHost) -> None:
        await _shut_down(host)
        assert host.up == "b"

    tell(story, [KIOSK, A[1]], Config(General(metadata=False)))
