"""What ends the waiting for a guest whose world is late."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import GuestOverride
from guestctl.model.record import Wanted, held
from guestctl.service import late
from tests.test_service_late import (
    GIVEN_UP,
    HOURS,
    lose_disk,
    wait_in_vain,
    waits,
)

from .served import AB, RESTARTED, SYSTEM, guest
from .sim.service import ServedHost, tell

# -- what ends it --------------------------------------------------------------------------------


def test_the_host_goes_down_meanwhile_and_the_next_boot_finds_all() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        await host.stop_units()
        host.happen("a has its disk again")
        assert host.up == ""
        await host.boot()
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_a_shutdown_that_is_cancelled_goes_on_waiting() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        host.announce()
        await asyncio.sleep(30)
        host.cancel_shutdown()
        await asyncio.sleep(60)
        assert host.up == "b"
        host.happen("a has its disk again")
        await asyncio.sleep(2 * late.LOOK)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_nobody_is_started_while_the_host_is_about_to_go_down() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        host.announce()
        host.happen("a has its disk again")
        await host.until_idle()
        await asyncio.sleep(60)
        assert host.up == ""

    tell(story, [guest("a"), guest("b")])


def test_a_restart_of_the_service_goes_on_waiting() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        await host.restart(HOURS)
        assert waits(host, "a")
        host.happen("a has its disk again")
        await asyncio.sleep(2 * late.LOOK)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_an_operators_shutdown_ends_it() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        await host.shut_down("a")
        assert host.record("a").wanted is Wanted.OFF
        host.happen("a has its disk again")
        await asyncio.sleep(2 * HOURS)
        assert host.up == "b"

    tell(story, [guest("a"), guest("b")])


def test_a_hold_ends_it() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        host.sim.ledger.change(host.guest("a").id, lambda it: held(it, "repair"))
        host.happen("a has its disk again")
        await asyncio.sleep(2 * HOURS)
        assert host.up == "b"

    tell(story, [guest("a"), guest("b")])


def test_somebody_starts_it_and_turns_it_off() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        host.guest("a").lacks = "manual"
        host.happen("a has its disk again")
        await asyncio.sleep(60)
        host.guest("a").lacks = ""
        host.happen("a is started")
        await asyncio.sleep(20)
        assert waits(host, "a") is None
        host.happen("a powers itself off")
        await asyncio.sleep(HOURS)
        assert host.up == "b"
        assert host.record("a").wanted is Wanted.OFF

    tell(story, [guest("a"), guest("b")])


def test_a_guest_that_is_undefined_is_waited_for_no_more() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        host.happen("a is undefined")
        await asyncio.sleep(HOURS)
        assert host.service.state.waiting == {}

    tell(story, [guest("a"), guest("b")])


@pytest.mark.parametrize("deed", ["is destroyed", "is saved", "powers itself off"])
def test_a_guest_that_waited_and_was_stopped_while_nobody_watched(deed: str) -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        await host.terminate()
        host.happen("a has its disk again")
        host.happen("a is started")
        await asyncio.sleep(5)
        host.happen(f"a {deed}")
        await asyncio.sleep(5)
        await host.serve(HOURS)
        assert host.up == "b"

    tell(story, [guest("a"), guest("b")])


def test_a_guest_that_waits_went_down_for_a_stop_that_was_cancelled() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(400)
        host.announce()
        await host.until_idle()
        lose_disk(host, "a")
        host.cancel_shutdown()
        await asyncio.sleep(GIVEN_UP)
        assert (host.up, bool(waits(host, "a"))) == ("b", True)
        await host.restart(GIVEN_UP)
        host.happen("a has its disk again")
        await asyncio.sleep(HOURS)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_a_guest_that_waits_and_is_not_listed_is_not_named_each_time() -> None:
    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        daemon, runs = host.sim.daemons[SYSTEM], host.runs()
        hidden = daemon.guests.pop(host.guest("a").uuid)
        await asyncio.sleep(HOURS)
        assert host.runs() == runs
        daemon.guests[hidden.uuid] = hidden
        host.happen("a has its disk again")
        await asyncio.sleep(2 * late.MOST_PAUSE)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_one_that_its_user_shut_down_waits_for_what_it_requires() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("b powers itself off")
        host.happen("a powers itself off")
        await asyncio.sleep(60)
        assert host.calls("start") == ["start b", "start a"]
        assert host.up == "a b"

    wishes = (GuestOverride("a", {"requires": ("b",)}),)
    tell(story, AB, replace(RESTARTED, guests=wishes))
