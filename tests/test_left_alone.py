"""guestctl was stopped, and the host then went down: what became of its guests meanwhile?"""

from __future__ import annotations

import asyncio

from guestctl.decisions.wanted import IN_DOUBT
from guestctl.model.record import Wanted
from guestctl.model.stop import StoppedBy
from tests.served import guest
from tests.sim.service import ServedHost, tell

A = [guest("moved"), guest("stays")]


async def moved_while_nobody_watched(host: ServedHost) -> None:
    """One guest is migrated away, its definition left behind."""
    await host.serve(5)
    await host.terminate()
    host.happen("moved migrates away")
    await asyncio.sleep(5)


def test_a_power_cut_leaves_them_in_doubt_and_nobody_runs_twice() -> None:
    async def story(host: ServedHost) -> None:
        await moved_while_nobody_watched(host)
        await host.boot()
        assert host.up == ""
        assert {host.record(name).hold for name in ("moved", "stays")} == {IN_DOUBT}
        assert host.wanted == "moved stays"
        assert host.said(f"stays: held: {IN_DOUBT}")

        host.happen("stays is started")
        await asyncio.sleep(5)
        assert host.record("stays").hold is None
        await host.boot()
        assert host.up == "stays"
        assert host.record("moved").hold == IN_DOUBT

    tell(story, A)


def test_the_guard_looks_as_the_host_stops_and_all_is_known() -> None:
    async def story(host: ServedHost) -> None:
        await moved_while_nobody_watched(host)
        await host.stop_units()
        await host.boot()
        assert host.up == "stays"
        assert host.record("moved").stopped_by is StoppedBy.MOVED
        assert host.record("moved").wanted is Wanted.OFF

    tell(story, A)


def test_a_service_that_came_back_before_the_power_went_knows() -> None:
    async def story(host: ServedHost) -> None:
        await moved_while_nobody_watched(host)
        await host.serve(30)
        await host.boot()
        assert host.up == "stays"

    tell(story, A)


def test_a_service_that_was_killed_with_the_host_saw_it_all() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.kill()
        await host.boot()
        assert host.up == "moved stays"

    tell(story, A)


def test_who_was_turned_off_just_before_stays_off() -> None:
    """How long after that the power went nobody knows; somebody's word is known."""

    async def story(host: ServedHost) -> None:
        await host.serve(500)
        host.happen("stays powers itself off")
        await asyncio.sleep(5)
        await host.terminate()
        await asyncio.sleep(3600)
        await host.boot()
        record = host.record("stays")
        assert (record.wanted, record.stopped_by) == (Wanted.OFF, StoppedBy.USER)
        assert host.up == ""
        await host.boot()
        assert host.up == ""

    tell(story, A)
