"""What the service notices of guests: who is wanted, and stops that settle, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.guest import State
from guestctl.model.record import Wanted
from guestctl.model.stop import StoppedBy

from .served import AB, SYSTEM, guest, off
from .sim.behaviour import Button, Save
from .sim.service import ServedHost, tell

# -- stops that settle -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "comes_back"), [(0.0, True), (0.01, True), (10, True), (110, True), (180, False)]
)
@pytest.mark.parametrize("trigger", ["announced", "units", "power cut", "soft reboot", "guard"])
def test_a_guest_that_stops_before_the_host_goes_down(
    seconds: float, comes_back: bool, trigger: str
) -> None:
    """Within [shutdown] settle it is the host's doing."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("a powers itself off")
        await asyncio.sleep(seconds)
        if trigger == "announced":
            host.announce()
            await host.until_idle()
        if trigger == "guard":
            host.kill()
        if trigger != "power cut":
            await host.stop_units()
        if trigger == "soft reboot":
            host.preparing = host.stopping = False
            host.sim.soft_reboot()
            await host.serve(60)
        else:
            await host.boot()
        assert host.up == ("a b" if comes_back else "b")

    if seconds or trigger in ("announced", "units"):
        tell(story, AB)


@pytest.mark.parametrize(
    ("before", "after", "comes_back"), [(10, 10, True), (100, 10, True), (100, 60, False)]
)
def test_a_service_that_was_killed_settles_what_the_one_before_saw(
    before: float, after: float, comes_back: bool
) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("a is destroyed")
        await asyncio.sleep(before)
        host.kill()
        await host.serve(after)
        await host.stop_units()
        await host.boot()
        assert host.up == ("a b" if comes_back else "b")

    tell(story, AB)


def test_an_operator_who_shuts_a_guest_down_means_it() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        assert (await host.shut_down("a")).ok
        await asyncio.sleep(5)
        assert host.record("a").stopped_by is StoppedBy.OPERATOR
        await host.stop_units()
        await host.boot()
        assert host.up == "b"

    tell(story, AB)


def test_a_guest_that_stops_while_the_host_waits_for_libvirtd_or_another_run() -> None:
    """However long it then takes: it is the host that goes down."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        with host.operator():
            host.announce()
            await asyncio.sleep(2)
            host.happen("a powers itself off")
            await asyncio.sleep(2)
        await asyncio.sleep(400)
        await host.stop_units()
        await host.boot()
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b", save=Save(300.0))])


def test_a_stop_that_was_about_to_settle_when_the_host_went_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("a powers itself off")
        await asyncio.sleep(110)
        with host.operator():
            host.announce()
            await asyncio.sleep(40)
        await host.stop_units()
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


# -- what is wanted --------------------------------------------------------------------------------


def test_guests_are_followed_all_the_time() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        steps = [
            ("c is started", "a b c"),
            ("b is destroyed", "a c"),
            ("d is defined", "a c d"),
            ("c is saved", "a d"),
            ("c is renamed to e", "a d"),
            ("a crashes", "a d"),
            ("d powers itself off", "a"),
            ("d is undefined", "a"),
            ("b is started", "a b"),
            ("b migrates away", "a"),
        ]
        for deed, wanted in steps:
            host.happen(deed)
            await asyncio.sleep(10)
            assert host.wanted == wanted, deed
        assert host.life.login.held is bool(host.up)

    tell(story, [*AB, off("c"), replace(guest("d"), defined=False)])


def test_an_event_that_is_lost() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("a is started")
        await asyncio.sleep(310)
        assert host.wanted == "a b"
        host.happen("a is destroyed")
        await asyncio.sleep(310)
        assert host.wanted == "b"

    tell(story, [guest("a", State.SHUT_OFF, loses_events=True), guest("b")])


def test_many_guests_at_once() -> None:
    names = [f"g{number:02}" for number in range(20)]

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        for name in names:
            host.happen(f"{name} powers itself off")
        host.happen("g03 is undefined")
        await asyncio.sleep(5)
        assert host.wanted == ""
        assert host.record_named("g03").wanted is None
        assert not host.life.login.held

    tell(story, [guest(name) for name in names])


def test_guests_that_wait_for_their_turn_are_in_hand() -> None:
    """What a run is about to take down is not noticed as up again, nor as turned off afterwards."""
    config = Config(shutdown=Shutdown(parallel=2))
    guests = [guest(f"g{number:02}", save=Save(10.0)) for number in range(12)]

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(3)
        host.happen("g11 is paused")
        await host.until_idle()
        assert len(host.wanted.split()) == 12
        await host.stop_units()
        await host.boot(120)
        assert len(host.up.split()) == 12

    tell(story, guests, config)


@pytest.mark.parametrize("verb", ["preserve", "shut down"])
def test_a_run_of_somebody_else(verb: str) -> None:
    """Nothing is noticed of guests in its hands, everything else at once."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        work = host.preserve if verb == "preserve" else host.shut_down
        running = asyncio.create_task(work("a", "b"))
        await asyncio.sleep(2)
        host.happen("c powers itself off")
        await asyncio.sleep(2)
        assert host.record("c").wanted is Wanted.OFF
        assert not running.done()
        await running
        await asyncio.sleep(5)
        assert host.record("a").stopped_by is StoppedBy.OPERATOR
        assert host.record("b").stopped_by is StoppedBy.OPERATOR
        assert host.record("a").settling is None
        assert host.wanted == ("a b" if verb == "preserve" else "")
        host.happen("b is started")
        await asyncio.sleep(5)
        assert host.record("b").wanted is Wanted.ON

    slow = Button(8.0)
    guests = [guest("a", save=Save(8.0), button=slow), guest("b", State.PMSUSPENDED, button=slow)]
    tell(story, [*guests, guest("c")])


# -- what saves are on -----------------------------------------------------------------------


def test_what_guests_need_is_kept_mounted_until_the_end() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(100)
        assert host.mounts.kept == {SYSTEM, "/images/a.qcow2", "/images/b.qcow2"}

    tell(story, AB)


def test_nothing_is_saved_below_a_mount_point() -> None:
    """Its file system went away before us: at the next boot the save would not be found."""

    async def story(host: ServedHost) -> None:
        await host.serve(100)
        host.happen("the saves are not mounted")
        await host.stop_units()
        assert host.up == ""
        assert host.calls("save") == []
        host.happen("the saves are mounted")
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)
