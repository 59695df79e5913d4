"""The service heeds libvirt's autostart flags at a boot, as the newest word or not."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.model.record import Wanted
from tests.served import LONG, SYSTEM, guest, off
from tests.sim.service import ServedHost, tell

#: Where no event tells that a flag changes, all guests are read so often.
SEEN = 400.0


def owned(host: ServedHost) -> None:
    """guestctl does libvirt's autostart, from this boot on."""
    host.autostart = frozenset({SYSTEM})
    for daemon in host.sim.daemons.values():
        daemon.autostart_is_done = True


@pytest.mark.parametrize("seen", [True, False])
def test_a_flag_set_after_a_stop_starts_the_guest_at_the_next_boot(seen: bool) -> None:
    async def story(host: ServedHost) -> None:
        owned(host)
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(LONG)
        host.happen("a is flagged")
        await asyncio.sleep(SEEN if seen else 1)
        assert host.up == "b"
        host.announce()
        await host.until_idle()
        await host.stop_units()
        await host.boot()
        assert host.up == "a b"
        assert host.began("a") == 1

    tell(story, [guest("a"), guest("b")])


@pytest.mark.parametrize("cut", [True, False])
def test_a_flag_taken_away_leaves_the_guest_down_at_the_next_boot(cut: bool) -> None:
    async def story(host: ServedHost) -> None:
        owned(host)
        await host.serve(LONG)
        host.happen("a is not flagged")
        await asyncio.sleep(SEEN)
        if not cut:
            host.announce()
            await host.until_idle()
            await host.stop_units()
        await host.boot()
        assert host.up == "b"
        assert host.record("a").wanted is Wanted.OFF

    tell(story, [guest("a", autostart=True), guest("b")])


def test_a_shutdown_that_is_cancelled_brings_back_who_ran_whatever_the_flags_say() -> None:
    async def story(host: ServedHost) -> None:
        owned(host)
        await host.serve(LONG)
        host.happen("off is flagged")
        host.happen("a is not flagged")
        await asyncio.sleep(SEEN)
        host.announce()
        await host.until_idle()
        host.cancel_shutdown()
        await host.until_idle("watching")
        await asyncio.sleep(30)
        assert host.up == "a"

    tell(story, [guest("a", autostart=True), off("off")])


def test_autostart_once_is_done_once() -> None:
    async def story(host: ServedHost) -> None:
        owned(host)
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(LONG)
        for name in ("a", "never", "up"):
            host.happen(f"{name} is flagged once")
        await asyncio.sleep(SEEN)
        assert host.up == "up"
        await host.boot()
        assert host.up == "a never up"
        assert not any(one.autostart_once for one in host.sim.guests())
        assert sorted(host.calls("use_up_autostart_once")) == [
            "use_up_autostart_once a",
            "use_up_autostart_once never",
            "use_up_autostart_once up",
        ]
        host.happen("a powers itself off")
        await asyncio.sleep(LONG)
        await host.boot()
        assert host.up == "never up"

    tell(story, [guest("a"), off("never"), guest("up")])


def test_a_mark_of_a_host_whose_autostart_is_libvirts_is_left_to_it() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a is flagged once")
        await host.restart()
        assert host.guest("a").autostart_once
        assert host.calls("use_up_autostart_once") == []

    tell(story, [off("a")])
