"""A guest that cannot be started for too long is given up, and comes with what it needs."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.service import late

from .served import SYSTEM, guest
from .sim.service import ServedHost, tell
from .test_service_late import GIVEN_UP, HOURS, lose_disk

RETRY = Config().boot.start_retry


async def give_up(host: ServedHost, name: str = "a") -> None:
    """It lacks a network from the boot on, for longer than it is tried."""
    await host.serve(5)
    host.cut_power()
    host.guest(name).lacks = "manual"
    await host.serve(GIVEN_UP + RETRY)
    assert host.record(name).given_up


def trail(host: ServedHost, name: str) -> list[str]:
    return [line.reason for line in host.sim.ledger.trail.of(host.guest(name).id)]


def test_it_is_tried_until_its_time_is_over_and_then_no_more() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        booted = asyncio.get_running_loop().time()
        await host.serve(RETRY)
        assert not host.record("a").given_up
        await asyncio.sleep(GIVEN_UP)
        assert host.record("a").given_up
        attempts = host.calls("start")
        assert 6 < len(attempts) < 20
        at, said = next(line for line in host.log if "given up" in line[1])
        assert RETRY <= at - booted < RETRY + 30
        assert said.startswith("a: given up after 10min: network 'manual' is not active; ")
        assert said.endswith("tried again when what it needs comes, or by `guestctl start a`")
        assert trail(host, "a")[-1] == said.removeprefix("a: ")
        before = trail(host, "a")
        await asyncio.sleep(24 * 3600)
        assert host.calls("start") == attempts
        assert trail(host, "a") == before

    tell(story, [guest("a")], most=3 * 24 * 3600)


@pytest.mark.parametrize("seconds", [0.0, 30.0, 3600.0])
def test_for_how_long_is_the_guests_own_setting(seconds: float) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        booted = asyncio.get_running_loop().time()
        await host.serve(HOURS)
        at = next(at for at, text in host.log if "given up" in text)
        assert seconds <= at - booted < seconds + 60

    own = GuestOverride("a", {"start_retry": seconds})
    tell(story, [guest("a")], Config(guests=(own,)))


def test_a_network_that_is_started_long_after() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host)
        await asyncio.sleep(HOURS)
        host.guest("a").lacks = ""
        host.sim.daemon(SYSTEM).stir()
        await asyncio.sleep(3)
        assert host.up == "a"
        assert not host.record("a").given_up

    tell(story, [guest("a")])


def test_what_told_was_early_and_it_is_tried_a_few_times_more() -> None:
    """A pool that is active need not have its volumes yet."""

    async def story(host: ServedHost) -> None:
        await give_up(host)
        attempts = len(host.calls("start"))
        host.sim.daemon(SYSTEM).stir()
        await asyncio.sleep(20)
        host.guest("a").lacks = ""
        await asyncio.sleep(late.WHILE)
        assert host.up == "a"
        assert len(host.calls("start")) <= attempts + 4

    tell(story, [guest("a")])


def test_in_vain_it_stays_given_up_and_nothing_is_said_again() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host)
        before, log = trail(host, "a"), len(host.log)
        host.sim.daemon(SYSTEM).stir()
        await asyncio.sleep(HOURS)
        assert host.record("a").given_up
        assert trail(host, "a") == before
        assert not [text for _, text in host.log[log:] if "given up" in text]

    tell(story, [guest("a")])


def test_a_guest_that_goes_down_again_at_once_does_not_wake_itself() -> None:
    """libvirt tells of its start all the same."""

    async def story(host: ServedHost) -> None:
        await give_up(host)
        attempts = len(host.calls("start"))
        for _ in range(10):
            host.service.late.stirred(host.guest("a").id)
            await asyncio.sleep(30)
        assert len(host.calls("start")) == attempts
        host.service.late.stirred(host.guest("b").id)
        await asyncio.sleep(3)
        assert len(host.calls("start")) == attempts + 1

    tell(story, [guest("a"), guest("b")])


def test_events_that_never_end_do_not_keep_it_from_being_given_up() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(GIVEN_UP)
        for _ in range(round(RETRY / 20)):
            host.sim.daemon(SYSTEM).stir()
            await asyncio.sleep(20)
        assert host.record("a").given_up

    tell(story, [guest("a")])


def test_one_that_comes_up_late_may_be_what_another_needs() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        lose_disk(host, "a")
        host.guest("b").lacks = "manual"
        await host.serve(HOURS)
        host.guest("b").lacks = ""
        host.happen("a has its disk again")
        await asyncio.sleep(20)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_a_disk_that_comes_long_after() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        lose_disk(host, "a")
        await host.serve(HOURS)
        assert host.record("a").given_up
        host.happen("a has its disk again")
        await asyncio.sleep(2 * late.LOOK)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_a_start_by_hand_that_fails_begins_the_time_anew() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host)
        await host.start_by_hand("a")
        assert not host.record("a").given_up
        assert "; it is tried again" in trail(host, "a")[-1]
        await asyncio.sleep(RETRY / 2)
        assert not host.record("a").given_up
        host.guest("a").lacks = ""
        await asyncio.sleep(RETRY / 2)
        assert host.up == "a"

    tell(story, [guest("a")])


def test_a_restart_of_the_service_neither_ends_the_time_nor_begins_it_anew() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(RETRY / 2)
        await host.restart(RETRY / 2 + 2 * late.WHILE)
        assert host.record("a").given_up
        await host.restart(5)
        assert host.record("a").given_up
        assert sum("given up after" in line for line in trail(host, "a")) == 1

    tell(story, [guest("a")])


def test_a_restart_of_the_service_may_have_missed_what_came() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host)
        await host.terminate()
        host.guest("a").lacks = ""
        await host.serve(30)
        assert host.up == "a"

    tell(story, [guest("a")])


def test_the_clock_of_the_wall_does_not_count() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(GIVEN_UP)
        host.sim.clock_jump += 24 * 3600
        await asyncio.sleep(RETRY / 2)
        assert not host.record("a").given_up

    tell(story, [guest("a")])


def test_while_the_host_sleeps_the_time_does_not_run() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(GIVEN_UP)
        host.sim.slept += 8 * 3600
        await asyncio.sleep(RETRY / 2)
        assert not host.record("a").given_up
        await asyncio.sleep(RETRY / 2)
        assert host.record("a").given_up

    tell(story, [guest("a")])


def test_nobody_is_given_up_while_a_run_of_an_operator_is_under_way() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(GIVEN_UP)
        with host.operator():
            await asyncio.sleep(4 * RETRY)
            assert not host.record("a").given_up
            host.guest("a").lacks = ""
        await asyncio.sleep(30)
        assert host.up == "a"

    tell(story, [guest("a")])


def test_the_next_boot_begins_anew() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host)
        host.cut_power()
        await host.serve(RETRY / 2)
        assert not host.record("a").given_up
        host.guest("a").lacks = ""
        await asyncio.sleep(RETRY)
        assert host.up == "a"

    tell(story, [guest("a")])


def test_while_nobody_can_be_tried_nobody_is_given_up() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(GIVEN_UP)
        host.happen(f"{SYSTEM} is killed for 900s")
        await asyncio.sleep(800)
        assert not host.record("a").given_up
        host.guest("a").lacks = ""
        await asyncio.sleep(300)
        assert host.up == "a"

    tell(story, [guest("a")])


def test_who_requires_one_that_was_given_up_waits_and_comes_with_it() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host, "b")
        a = host.record("a")
        assert (a.given_up, a.waits_since) == (False, None)
        assert "requires b, not up yet" in str(a.waits_for)
        host.guest("b").lacks = ""
        host.sim.daemon(SYSTEM).stir()
        await asyncio.sleep(30)
        assert host.up == "a b"

    own = GuestOverride("a", {"requires": ("b",)})
    tell(story, [guest("a"), guest("b")], Config(guests=(own,)))


def test_its_own_time_begins_once_what_it_requires_is_up() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host, "b")
        host.guest("a").lacks = "manual"
        host.guest("b").lacks = ""
        host.sim.daemon(SYSTEM).stir()
        await asyncio.sleep(RETRY - 30)
        assert host.up == "b"
        assert not host.record("a").given_up
        await asyncio.sleep(120)
        assert host.record("a").given_up

    own = GuestOverride("a", {"requires": ("b",)})
    tell(story, [guest("a"), guest("b")], Config(guests=(own,)))


def test_somebody_may_still_turn_it_off() -> None:
    async def story(host: ServedHost) -> None:
        await give_up(host)
        await host.shut_down("a")
        host.guest("a").lacks = ""
        host.sim.daemon(SYSTEM).stir()
        await asyncio.sleep(HOURS)
        assert host.up == ""
        assert not host.record("a").given_up
        assert host.service.state.waiting == {}

    tell(story, [guest("a")])
