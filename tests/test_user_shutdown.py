"""What a user's shutdown leads to, as policy says: kept down, started again, ignored."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.model.guest import State
from guestctl.model.options import UserAction
from guestctl.model.result import Trigger
from guestctl.model.stop import Certainty, StoppedBy
from guestctl.service.restarts import CALM, MOST_PAUSE, PAUSE
from tests.ledgers import hold

from .served import IGNORED, LONG, RESTARTED, SETTLED, SYSTEM, A, guest
from .sim.behaviour import Agent, Behaviour, GuestSpec, Start
from .sim.service import ServedHost, tell

# -- what a user's shutdown leads to ---------------------------------------------------------------


def test_a_kiosk_is_started_again() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(PAUSE - 1)
        assert host.up == "b"
        await asyncio.sleep(5)
        assert host.up == "a b"
        assert host.runs()[-1] == ("restore", Trigger.USER_SHUTDOWN, True)

    tell(story, A, RESTARTED)


@pytest.mark.parametrize(
    "deed", ["is asked to shut down", "is destroyed", "crashes", "is saved", "migrates away"]
)
def test_only_users_shutdowns_are_undone(deed: str) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen(f"a {deed}")
        await asyncio.sleep(LONG)
        assert host.up == "b"

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("after", [0, 10])
def test_a_kiosk_that_goes_off_at_once_is_started_ever_more_rarely(after: int) -> None:
    """After 0 s each start looks as if it had failed, and is tried again."""

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        begun = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < begun + 3600:
            if host.guest("a").state is State.RUNNING:
                await asyncio.sleep(after)
                host.happen("a powers itself off")
            await asyncio.sleep(1)
        assert 10 <= host.began("a") <= (3600 / MOST_PAUSE + 10) * (1 if after else 4)
        await asyncio.sleep(MOST_PAUSE + CALM)
        assert host.up == "a b"
        began = host.began("a")
        host.happen("a powers itself off")
        await asyncio.sleep(PAUSE + 5)
        assert host.began("a") == began + 1

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("killed", [True, False])
def test_a_start_that_is_owed_survives_the_service(killed: bool) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(1)
        if killed:
            host.kill()
            await host.serve(15)
        else:
            await host.restart(15)
        assert host.up == "a b"

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("seconds", [1.0, PAUSE + 1])
def test_no_kiosk_is_started_while_the_host_goes_down(seconds: float) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(seconds)
        host.announce()
        await host.until_idle()
        assert host.up == ""
        await asyncio.sleep(60)
        await host.stop_units()
        assert host.up == ""
        await host.boot()
        assert host.up == "a b"

    tell(story, [guest("a", start=Start(20.0)), guest("b")], RESTARTED)


def test_a_kiosk_that_an_operator_shuts_down_meanwhile_stays_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(2)
        await host.shut_down("a")
        await asyncio.sleep(60)
        assert host.up == "b"
        assert host.record("a").stopped_by is StoppedBy.OPERATOR

    tell(story, A, RESTARTED)


def test_a_held_kiosk_stays_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        hold(host.sim.ledger, host.guest("a").facts, "being cleaned")
        host.happen("a powers itself off")
        await asyncio.sleep(60)
        assert host.up == "b"

    tell(story, A, RESTARTED)


@pytest.mark.parametrize("deed", ["powers itself off", "is destroyed"])
def test_ignored_the_flag_alone_counts_at_the_next_boot(deed: str) -> None:
    async def story(host: ServedHost) -> None:
        host.autostart = frozenset({SYSTEM})
        host.sim.daemon(SYSTEM).autostart_is_done = True
        await host.serve(LONG)
        for name in ("a", "flagged"):
            host.happen(f"{name} {deed}")
        await asyncio.sleep(SETTLED)
        assert host.up == "b"
        await host.stop_units()
        await host.boot()
        assert host.up == "b flagged"

    tell(story, [*A, guest("flagged", autostart=True)], IGNORED)


def test_policy_is_each_guests_own() -> None:
    config = Config(guests=(GuestOverride("a", {"action": UserAction.RESTART}),))

    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        host.happen("b powers itself off")
        await asyncio.sleep(60)
        assert host.up == "a"

    tell(story, A, config)


def test_through_the_agent_it_looks_like_the_users() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a is started")
        await asyncio.sleep(10)
        host.happen("a is asked through its agent")
        await asyncio.sleep(10)
        record = host.record("a")
        assert (record.stopped_by, record.certainty) == (StoppedBy.USER, Certainty.LIKELY)

    off = GuestSpec("a", state=State.SHUT_OFF, behaviour=Behaviour(agent=Agent.WORKS))
    tell(story, [off])


CONNECTED = """<devices><channel type='unix'>
<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel></devices>"""


def test_an_agent_that_was_connected_before_the_service_began_counts_as_well() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(LONG)
        host.happen("a powers itself off")
        await asyncio.sleep(10)
        record = host.record("a")
        assert (record.stopped_by, record.certainty) == (StoppedBy.USER, Certainty.LIKELY)

    tell(story, [replace(guest("a"), xml=CONNECTED)])
