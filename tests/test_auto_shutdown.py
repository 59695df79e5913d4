"""libvirt's own auto-shutdown is on: it pauses all guests at once as the host goes down."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.guest import State
from guestctl.model.options import Scope
from guestctl.model.stop import How
from tests.served import SYSTEM, A, guest
from tests.sim.behaviour import Button
from tests.sim.service import ServedHost, tell

NO_SAVES = Config(shutdown=Shutdown(save=Scope.NONE))


@pytest.mark.parametrize("sooner", [-1.0, 0.0, 0.4])
def test_guests_that_it_paused_run_again(sooner: float) -> None:
    """Before we hear of the host's end, in the same moment, or as we are at it."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        if sooner < 0:
            host.happen("a is paused")
        await asyncio.sleep(max(0.0, -sooner))
        host.announce()
        await asyncio.sleep(max(0.0, sooner))
        if sooner >= 0:
            host.happen("a is paused")
        await host.until_idle()
        await host.boot()
        assert {name: host.guest(name).state for name in "ab"} == dict.fromkeys("ab", State.RUNNING)

    tell(story, A)


@pytest.mark.parametrize("auto_shutdown", [True, False])
def test_one_that_somebody_had_paused_before_stays_paused(auto_shutdown: bool) -> None:
    """Without auto-shutdown whoever pauses a guest has a reason, at any time."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = auto_shutdown
        await host.serve(100)
        host.happen("a is paused")
        await asyncio.sleep(60 if auto_shutdown else 1)
        host.announce()
        await host.until_idle()
        await host.boot()
        assert host.guest("a").state is State.PAUSED
        assert host.guest("b").state is State.RUNNING

    tell(story, A)


def test_one_that_it_paused_while_it_was_asked_to_shut_down_can_do_so() -> None:
    """Its plug was pulled: libvirt saves one after another, and has the others paused so long."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.announce()
        await asyncio.sleep(0.4)
        host.happen("a is paused")
        await host.until_idle()
        assert host.record("a").how is How.SHUT_DOWN

    tell(story, A, NO_SAVES)


@pytest.mark.parametrize("reason", ["watchdog", "creating snapshot", "unknown"])
def test_one_that_something_else_had_paused_stays_paused(reason: str) -> None:
    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.guest("a").pause(reason)
        await asyncio.sleep(60)
        host.announce()
        await host.until_idle()
        await host.boot()
        assert host.guest("a").state is State.PAUSED

    tell(story, A)


def test_one_that_was_found_paused_stays_paused() -> None:
    """Since when, nobody knows: it need not be libvirt's doing that the host goes down just now."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.happen("a is paused")
        await asyncio.sleep(3600)
        await host.restart(2)
        host.announce()
        await host.until_idle()
        await host.boot()
        assert host.guest("a").state is State.PAUSED
        assert host.guest("b").state is State.RUNNING

    tell(story, A)


@pytest.mark.parametrize("after", [5.0, 20.0])
def test_a_guest_that_it_saved_once_it_was_asked_to_shut_down_comes_back(after: float) -> None:
    """Its memory has the request: it goes down once more, as nobody wants it to."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.announce()
        await asyncio.sleep(2)
        host.happen("a is saved")
        host.happen("a is flagged once")  # as it marks all that it takes down
        await host.until_idle()
        host.autostart = frozenset({SYSTEM})
        await host.boot(120)
        assert (host.up, host.wanted) == ("a b", "a b")
        assert host.began("a") == 2
        assert host.record("a").stopped_by is None
        await asyncio.sleep(100)
        host.happen("a powers itself off")
        await asyncio.sleep(10)
        assert host.wanted == "b"

    tell(story, [guest("a", button=Button(after)), guest("b")], NO_SAVES)


@pytest.mark.parametrize("after", [2.5, 20.0])
def test_it_comes_back_where_it_cannot_be_resumed_at_first(after: float) -> None:
    """Though it may go down before anybody has seen it up."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.announce()
        await asyncio.sleep(2)
        host.happen("a is saved")
        await host.until_idle()
        host.guest("a").lacks = "manual"
        await host.boot(120)
        host.guest("a").lacks = ""
        await asyncio.sleep(300)
        assert (host.up, host.wanted) == ("a b", "a b")

    tell(story, [guest("a", button=Button(after)), guest("b")], NO_SAVES)


# The service is killed


@pytest.mark.parametrize("paused_first", [True, False])
def test_the_guard_knows_who_ran(paused_first: bool) -> None:
    """Saved as libvirt had paused them, they came back paused."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.announce()
        if paused_first:
            host.happen("a is paused")
            await asyncio.sleep(0.2)
        host.kill()
        host.happen("b is paused")
        host.happen("a is paused")
        await host.stop_units()
        await host.boot()
        assert {name: host.guest(name).state for name in "ab"} == dict.fromkeys("ab", State.RUNNING)

    tell(story, [guest("a"), guest("b")])


@pytest.mark.parametrize("again", [0.2, 3.0])
def test_the_next_service_knows_who_ran(again: float) -> None:
    """It is started anew within logind's delay, and finds all guests paused."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.kill()
        host.announce()
        host.happen("a is paused")
        await asyncio.sleep(again)
        host.start()
        await host.until_idle()
        await host.boot()
        assert {name: host.guest(name).state for name in "ab"} == dict.fromkeys("ab", State.RUNNING)

    tell(story, A)


@pytest.mark.parametrize("auto_shutdown", [True, False])
def test_the_guard_leaves_one_paused_that_somebody_had_paused_before(auto_shutdown: bool) -> None:
    async def story(host: ServedHost) -> None:
        host.auto_shutdown = auto_shutdown
        await host.serve(100)
        host.happen("a is paused")
        await asyncio.sleep(5)
        host.kill()
        await host.stop_units()
        await host.boot()
        assert host.guest("a").state is State.PAUSED
        assert host.guest("b").state is State.RUNNING

    tell(story, [guest("a"), guest("b")])


def test_what_a_service_said_long_ago_counts_no_longer() -> None:
    """Whoever has paused the guest since had a reason."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.kill()
        await asyncio.sleep(600)
        host.happen("a is paused")
        await host.stop_units()
        await host.boot()
        assert host.guest("a").state is State.PAUSED

    tell(story, [guest("a"), guest("b")])


def test_a_service_that_was_started_anew_does_not_take_a_pause_for_libvirts() -> None:
    """The host goes down much later."""

    async def story(host: ServedHost) -> None:
        host.auto_shutdown = True
        await host.serve(100)
        host.kill()
        host.happen("a is paused")
        await host.serve(60)
        host.announce()
        await host.until_idle()
        await host.boot()
        assert host.guest("a").state is State.PAUSED

    tell(story, A)
