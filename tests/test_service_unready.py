"""A guest that is ready late: the service notices, and who requires it comes up then."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from guestctl.config.config import Config, GuestOverride
from guestctl.model.readiness import HasAddress
from guestctl.service import unready

from .served import guest
from .sim.service import ServedHost, tell

RULE, LIMIT = (HasAddress(),), 60.0
CONFIG = Config(
    guests=(
        GuestOverride("a", {"ready": RULE, "ready_timeout": LIMIT}),
        GuestOverride("b", {"requires": ("a",)}),
    )
)
#: Long after its time to be ready.
LATE = 400.0


def test_who_requires_it_comes_up_once_it_is_ready() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        await host.serve(LIMIT + 30)
        record = host.record("a")
        assert record.unready_in(host.service.state.boot) == (
            "address: libvirt knows no address of it"
        )
        assert host.up == "a"
        await asyncio.sleep(LATE)
        assert host.record("a").unready is None
        assert host.up == "a b"

    guests = [guest("a", address=LATE), guest("b")]
    tell(story, guests, CONFIG)


def test_that_is_noticed_within_seconds_of_a_boot_also_where_nobody_waits() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        await host.serve(soon + 5)
        assert host.record("a").unready is not None
        await asyncio.sleep(2 * unready.LOOK)
        assert host.record("a").unready is None

    soon = 10.0
    rule = GuestOverride("a", {"ready": RULE, "ready_timeout": soon})
    tell(story, [guest("a", address=soon + 10)], replace(CONFIG, guests=(rule,)))


def test_one_that_never_is_stays_unready_and_what_requires_it_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        await host.serve(2000)
        assert host.record("a").unready is not None
        assert host.up == "a"
        assert host.record("b").waits_for == "it requires a, not ready yet"

    tell(story, [guest("a"), guest("b")], CONFIG)


def test_rules_that_are_taken_away_end_it() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        await host.serve(LIMIT + 30)
        host.service.state.config = replace(CONFIG, guests=CONFIG.guests[1:])
        await asyncio.sleep(2 * unready.LOOK_SELDOM + 10)
        assert host.record("a").unready is None
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")], CONFIG)
