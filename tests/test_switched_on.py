"""guestctl is switched on in the midst of a boot that began without it: nobody is started."""

from __future__ import annotations

import asyncio

from guestctl.model.record import Wanted
from guestctl.model.stop import StoppedBy
from tests.served import SYSTEM, guest, off
from tests.sim.service import ServedHost, tell

GUESTS = [
    guest("pulled"),
    guest("never"),
    guest("byhand"),
    off("off"),
]
NOBODY: frozenset[str] = frozenset()


async def switched_off_and_rebooted(host: ServedHost) -> None:
    """The guests are known to run; the host boots without guestctl, and people do as they like."""
    await host.serve(5)
    await host.terminate()
    host.cut_power()
    host.ours = NOBODY
    host.happen("pulled is started")
    host.happen("byhand is started")
    await asyncio.sleep(5)
    host.happen("pulled is destroyed")
    await asyncio.sleep(5)


def test_nobody_is_started_and_what_is_up_and_off_is_the_new_baseline() -> None:
    async def story(host: ServedHost) -> None:
        await switched_off_and_rebooted(host)
        await host.serve(120)
        assert host.up == "byhand"
        assert host.wanted == "byhand"
        assert host.record("pulled").stopped_by is StoppedBy.ADMINISTRATOR
        assert host.record("never").stopped_by is StoppedBy.UNKNOWN
        assert host.said("nobody is started in this boot")
        assert host.said("off, though wanted on before: never;")
        assert host.runs()[-1] == ("restore", "switched-on", True)

    tell(story, GUESTS)


def test_the_next_boots_go_by_the_baseline() -> None:
    async def story(host: ServedHost) -> None:
        await switched_off_and_rebooted(host)
        await host.serve(120)
        host.ours = None
        await host.boot()
        assert host.up == "byhand"
        assert host.runs()[-1] == ("restore", "boot", True)

    tell(story, GUESTS)


def test_a_service_that_is_restarted_in_that_boot_starts_nobody_either() -> None:
    async def story(host: ServedHost) -> None:
        await switched_off_and_rebooted(host)
        await host.serve(120)
        runs = host.runs()
        host.kill()
        await host.serve(120)
        assert (host.up, host.runs()) == ("byhand", runs)

    tell(story, GUESTS)


def test_a_shutdown_that_is_cancelled_brings_back_whom_it_took_down() -> None:
    async def story(host: ServedHost) -> None:
        await switched_off_and_rebooted(host)
        await host.serve(120)
        host.announce()
        await host.until_idle()
        assert host.up == ""
        host.cancel_shutdown()
        await host.until_idle("watching")
        await asyncio.sleep(30)
        assert host.up == "byhand"

    tell(story, GUESTS)


def test_a_connection_that_guestctl_was_in_charge_of_is_brought_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.ours = frozenset({SYSTEM})
        await host.serve(120)
        assert host.up == "byhand never pulled"
        assert host.record("pulled").wanted is Wanted.ON

    tell(story, GUESTS)
