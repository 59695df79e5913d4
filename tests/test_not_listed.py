"""A guest that libvirt does not list at one boot is not forgotten: its definition may come back."""

from __future__ import annotations

import asyncio

from guestctl.config.config import Config
from guestctl.config.settings import Boot
from guestctl.model.record import Wanted
from tests.served import LONG, SYSTEM, guest
from tests.sim.service import ServedHost, tell

A = [guest("a"), guest("b")]


async def reboot(host: ServedHost) -> None:
    """In order, with everybody saved."""
    host.announce()
    await host.until_idle()
    await host.stop_units()
    await host.boot()


def test_it_stays_wanted_and_is_brought_back_once_it_is_listed_again() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.announce()
        await host.until_idle()
        await host.stop_units()
        daemon = host.sim.daemons[SYSTEM]
        hidden = daemon.guests.pop(host.guest("a").uuid)
        await host.boot()
        assert host.up == "b"
        assert host.record_named("a").wanted is Wanted.ON
        assert host.runs()[-1] == ("restore", "boot", False)
        await host.restart()
        await reboot(host)
        assert host.record_named("a").wanted is Wanted.ON
        assert host.said("libvirt does not list it")
        hidden.lose_memory()
        daemon.guests[hidden.uuid] = hidden
        await reboot(host)
        assert host.up == "a b"
        assert (host.guest("a").reason, host.began("a")) == ("restored", 1)

    tell(story, A)


def test_an_undefine_that_was_seen_ends_what_was_wanted() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(LONG)
        host.happen("b is undefined")
        await asyncio.sleep(5)
        assert host.up == "b"
        host.happen("b powers itself off")
        await asyncio.sleep(5)
        host.happen("a is started")
        await asyncio.sleep(5)
        host.happen("a is undefined")
        host.happen("a powers itself off")
        await asyncio.sleep(5)
        assert host.wanted == ""
        await host.boot()
        assert host.runs()[-1] == ("restore", "boot", True)

    tell(story, A)


def test_one_that_is_not_listed_any_more_at_its_turn_stays_wanted() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.cut_power()
        await host.serve(3)
        assert host.up == "a"
        host.sim.daemons[SYSTEM].guests.pop(host.guest("b").uuid)
        await asyncio.sleep(LONG)
        assert host.runs()[-1] == ("restore", "boot", False)
        assert host.record_named("b").wanted is Wanted.ON

    tell(story, A, Config(boot=Boot(start_delay=10.0)))


def test_an_undefine_right_after_the_stop_is_not_lost() -> None:
    """As systemd is asked about the stop; each boot said of it later that it is not listed."""

    async def story(host: ServedHost) -> None:
        host.rival.takes = 1.0
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(0.5)
        host.happen("a is undefined")
        await asyncio.sleep(5)
        await host.restart()
        await reboot(host)
        assert host.wanted == "b"
        assert host.runs()[-1] == ("restore", "boot", True)

    tell(story, A)


def test_libvirtd_that_comes_back_without_it_is_no_undefine() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a is destroyed")
        host.happen("a is started")
        host.happen("qemu:///system is killed for 5s")
        daemon = host.sim.daemons[SYSTEM]
        hidden = daemon.guests.pop(host.guest("a").uuid)
        await asyncio.sleep(LONG)
        assert host.record_named("a").wanted is Wanted.ON
        daemon.guests[hidden.uuid] = hidden

    tell(story, A)
