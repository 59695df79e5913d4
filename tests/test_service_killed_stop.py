"""A service that is killed as the host goes down, in a stop that is then cancelled: whatever it had
begun with a guest, the guest is up in the end."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.options import Scope
from guestctl.model.stop import StoppedBy

from .served import SYSTEM, guest, off
from .sim.behaviour import Button, GuestSpec, Save, Start
from .sim.service import ServedHost, tell

#: No save ends in time: the guest is asked to shut down, and does so later.
HURRIED = Config(shutdown=Shutdown(save_timeout=3.0, shutdown_timeout=20.0))
ASKED = guest("a", button=Button(20.0), save=Save(8.0))


async def _killed_and_cancelled(host: ServedHost, killed: float, cancelled: float) -> None:
    host.announce()
    await asyncio.sleep(killed)
    host.kill()
    await host.serve(cancelled)
    host.cancel_shutdown()


@pytest.mark.parametrize("cancelled", [0.0, 2.0, 5.0])
def test_a_request_that_the_next_process_hides_by_a_save(cancelled: float) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(400)
        await _killed_and_cancelled(host, 5.0, cancelled)
        await asyncio.sleep(400)
        assert host.up == "a"
        assert host.calls("start") == ["start a"]

    tell(story, [ASKED], HURRIED)


def test_whoever_does_not_follow_it_turns_itself_off_later() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(400)
        await _killed_and_cancelled(host, 5.0, 2.0)
        await asyncio.sleep(HURRIED.shutdown.deadline + 400)
        host.happen("a powers itself off")
        await asyncio.sleep(400)
        assert (host.up, host.record("a").stopped_by) == ("", StoppedBy.USER)

    tell(story, [guest("a", button=Button(float("inf")), save=Save(8.0))], HURRIED)


@pytest.mark.parametrize("config", [Config(), Config(shutdown=Shutdown(save=Scope.NONE))])
@pytest.mark.parametrize("cancelled", [0.0, 2.0, 30.0])
def test_a_paused_guest_of_which_nothing_shows_that_it_is_saved(
    cancelled: float, config: Config
) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("a is paused")
        await asyncio.sleep(400)
        await _killed_and_cancelled(host, 1.0, cancelled)
        await asyncio.sleep(400)
        assert host.up == "a"

    tell(story, [_paused()], config)


def _paused() -> GuestSpec:
    return guest("a", button=Button(15.0), save=Save(40.0))


@pytest.mark.parametrize("killed_again", [False, True])
def test_autostart_flags_are_for_boots_and_that_is_none(killed_again: bool) -> None:
    async def story(host: ServedHost) -> None:
        host.autostart = frozenset({SYSTEM})
        host.sim.daemon(SYSTEM).autostart_is_done = True
        await host.serve(200)
        host.happen("c is flagged")
        host.announce()
        await host.until_idle()
        host.kill()
        host.cancel_shutdown()
        await host.serve(0.5)
        if killed_again:
            host.kill()
            await host.serve(0.0)
        await asyncio.sleep(200)
        assert host.up == "a"

    tell(story, [guest("a", start=Start(5.0)), off("c")])
