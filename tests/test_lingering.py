"""A guest that shut down while something, as a backup, kept its QEMU: it was turned off before."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.model.guest import State
from guestctl.model.record import Wanted
from guestctl.model.stop import StoppedBy
from tests.served import LONG, guest
from tests.sim.service import ServedHost, tell

HOUR = 3600.0
GUESTS = [guest("kept", lingers=HOUR), guest("runs")]


@pytest.mark.parametrize("service", ["runs", "restarted", "killed"])
def test_it_stays_down_although_the_host_ends_its_qemu(service: str) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("kept is asked to shut down")
        await asyncio.sleep(LONG)
        assert host.guest("kept").state is State.IN_SHUTDOWN
        record = host.record("kept")
        assert (record.wanted, record.stopped_by) == (Wanted.OFF, StoppedBy.ADMINISTRATOR)
        if service == "restarted":
            await host.restart(LONG)
        if service == "killed":
            host.kill()
        await host.stop_units()
        assert (host.up, host.wanted) == ("", "runs")
        await host.boot()
        assert host.up == "runs"
        assert host.record("kept").wanted is Wanted.OFF

    tell(story, GUESTS)


def test_one_stop_has_one_verdict() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("kept powers itself off")
        await asyncio.sleep(HOUR + LONG)
        assert host.guest("kept").state is State.SHUT_OFF
        trail = [entry.reason for entry in host.sim.ledger.trail.of(host.guest("kept").id)]
        assert sum("by its user" in reason for reason in trail) == 1

    tell(story, GUESTS)
