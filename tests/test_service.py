"""The service and what triggers the host's end, in virtual time; announced, cancelled, killed."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.options import Scope

from .served import AB, OTHER, SYSTEM, TWO_URIS, guest, off
from .sim.behaviour import IGNORED_BUTTON, Abort, Button, Save, Start
from .sim.service import ServedHost, tell

# -- triggers ----------------------------------------------------------------------------


def test_an_announced_shutdown() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        assert host.life.login.held
        host.announce()
        await host.until_idle()
        assert host.up == ""
        assert not host.life.login.held
        await host.stop_units()
        assert host.touched == ["save a", "save b"]
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


def test_units_are_stopped_without_an_announcement() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        assert host.up == ""
        assert host.runs() == [("restore", "boot", True), ("preserve", "host-stop", True)]
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


def test_a_second_trigger_joins_the_run() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(5)
        await host.stop_units()
        assert host.touched == ["save a", "save b"]
        assert host.runs()[1:] == [("preserve", "host-stop", True)]

    tell(story, AB)


def test_a_host_that_stays_up_and_a_service_that_ends() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.restart()
        assert host.life.login.held
        assert await host.guard() is None
        assert host.touched == []
        await host.stop_units()
        assert host.up == ""

    tell(story, AB)


def test_a_shutdown_while_guests_are_brought_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        await host.boot(1.5)
        assert host.service.state.activity == "bringing guests back"
        await host.stop_units()
        assert host.up == ""
        assert host.runs()[2:] == [("restore", "boot", None), ("preserve", "host-stop", True)]
        await host.boot()
        assert host.up == "a b"

    tell(story, [guest("a", start=Start(20.0)), guest("b")])


def test_the_host_goes_down_while_a_restore_waits_for_a_late_connection() -> None:
    """The restore of those that were there was cut off, and the other one must not go on."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        host.cut_power()
        host.sim.daemon(OTHER).lose_connections()
        await host.serve(62)
        assert host.service.state.activity == "bringing guests back"
        host.announce()
        await host.until_idle()
        assert host.up == ""

    tell(story, [guest("a", start=Start(20.0))], TWO_URIS, most=3600)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 3.0, 30.0])
def test_a_shutdown_is_cancelled(seconds: float) -> None:
    """Before any call, in mid-save, after all are down."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(seconds)
        host.cancel_shutdown()
        await asyncio.sleep(60)
        assert host.up == "a b"
        assert host.life.login.held
        assert host.service.state.activity == "watching"
        assert host.runs()[-1] == ("restore", "cancelled", True)
        await host.stop_units()
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


@pytest.mark.parametrize("disconnected", [False, True])
def test_cancelled_after_a_guest_was_asked_to_shut_down(disconnected: bool) -> None:
    """It may follow only then, and comes back; if it does not, it is not ours any more."""
    config = Config(shutdown=Shutdown(save=Scope.NONE))

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(3)
        host.cancel_shutdown()
        await asyncio.sleep(60)
        assert host.up == "a b c"
        assert host.began("b") == (0 if disconnected else 1)
        await asyncio.sleep(1800)
        host.happen("b is destroyed")
        await asyncio.sleep(180)
        assert host.wanted == "a c"

    slow = guest("b", button=IGNORED_BUTTON if disconnected else Button(20.0))
    tell(story, [guest("a"), slow, guest("c", button=Button(9.0))], config)


@pytest.mark.parametrize("seconds", [19.5, 20.0])
def test_cancelled_as_the_time_of_a_request_runs_out(seconds: float) -> None:
    """The step has ended, and the next was not begun: the guest may follow only then."""
    config = Config(shutdown=Shutdown(save=Scope.NONE, shutdown_timeout=20.0))

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(seconds)
        host.cancel_shutdown()
        await asyncio.sleep(60)
        assert host.up == "a b"
        assert host.began("b") == 1

    tell(story, [guest("a"), guest("b", button=Button(30.0))], config)


def test_cancelled_during_a_save_that_cannot_be_aborted() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(3)
        host.cancel_shutdown()
        await asyncio.sleep(300)
        assert host.up == "a b"
        assert host.began("a") == 1

    tell(story, [guest("a", save=Save(90.0, abort=Abort.REFUSED)), guest("b")])


def test_cancelled_before_the_first_step_nothing_is_done() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        host.cancel_shutdown()
        await asyncio.sleep(60)
        assert host.touched == []

    tell(story, AB)


def test_cancelled_and_announced_again() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        for _ in range(3):
            host.announce()
            await asyncio.sleep(3)
            host.cancel_shutdown()
            await asyncio.sleep(2)
        host.announce()
        await asyncio.sleep(3)
        await host.stop_units()
        assert host.up == ""
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


@pytest.mark.parametrize("preparing", [None, True])
@pytest.mark.parametrize("stopping", [None, False])
def test_no_answer_does_not_cancel_a_shutdown(
    preparing: bool | None, stopping: bool | None
) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        host.preparing, host.stopping = preparing, stopping
        await host.until_idle()
        await asyncio.sleep(100)
        assert host.up == ""

    tell(story, AB)


def test_logind_takes_it_back_but_systemd_does_not_answer() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        host.preparing, host.stopping = False, None
        await asyncio.sleep(300)
        assert host.up == ""

    tell(story, AB)


def test_a_flag_is_not_followed_when_a_shutdown_was_cancelled() -> None:
    async def story(host: ServedHost) -> None:
        host.autostart = frozenset({SYSTEM})
        await host.serve(5)
        host.guest("new").autostart = True
        host.announce()
        await host.until_idle()
        host.cancel_shutdown()
        await asyncio.sleep(60)
        assert host.up == "a b"

    tell(story, [*AB, off("new")])


@pytest.mark.parametrize("seconds", [0.0, 1.5, 5.0, 70.0])
def test_the_service_ends_while_the_host_stays_up(seconds: float) -> None:
    """Also when it is just bringing guests back: no guest is taken down, and it goes on after."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        before = len(host.touched)
        await host.boot(seconds)
        await host.restart(60)
        assert host.up == "a b"
        assert host.calls("save", "poweroff", "request_shutdown acpi")[before:] == []
        assert host.began("a") == host.began("b") == 1

    tell(story, [guest("a", start=Start(20.0)), guest("b")])


def test_nobody_says_whether_the_host_stops() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.stopping = None
        await host.terminate()
        assert host.touched == []
        assert host.said("cannot tell whether the host is stopping")
        host.stopping = True
        await host.guard()
        assert host.up == ""

    tell(story, AB)


@pytest.mark.parametrize("seconds", [0.5, 3.0, 7.0, 30.0])
def test_killed_in_the_delay_window_it_goes_on(seconds: float) -> None:
    """systemd starts it again, and it must not bring back those that are on their way down."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(seconds)
        host.kill()
        await host.serve(60)
        assert host.up == ""
        assert host.calls("start") == []
        await host.stop_units()
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


def test_logind_is_slow_to_say_that_the_host_goes_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await host.until_idle()
        host.kill()
        host.preparing = None
        life = host.start()
        await asyncio.sleep(3)
        host.preparing = True
        await asyncio.sleep(1)
        life.triggers.announce("")
        await asyncio.sleep(60)
        assert host.calls("start") == []

    tell(story, AB)
