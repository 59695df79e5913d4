"""The service's logic, in virtual time: triggers, restores, what it notices, where it is killed."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from unittest.mock import patch

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import General, Shutdown
from guestctl.model.guest import State
from guestctl.model.options import Scope
from guestctl.model.record import Wanted
from guestctl.model.stop import StoppedBy
from guestctl.runs import take_down as take_down
from guestctl.service.stop_timeout import EXTENSION, INTERVAL

from .sim.behaviour import IGNORED_BUTTON, Abort, Behaviour, Button, GuestSpec, Save, Start
from .sim.service import ServedHost, tell

SYSTEM, OTHER = "qemu:///system", "lxc:///system"
TWO_URIS = Config(general=General(uris=(SYSTEM, OTHER)))


def guest(name: str, state: State = State.RUNNING, **behaviour: object) -> GuestSpec:
    """A guest that behaves as told."""
    return GuestSpec(name, state=state, behaviour=replace(Behaviour(), **behaviour))  # type: ignore[arg-type]  # by name


def off(name: str, *, autostart: bool = False) -> GuestSpec:
    """A guest that is off."""
    return replace(guest(name, State.SHUT_OFF), autostart=autostart)


AB = [guest("a"), guest("b", save=Save(8.0))]


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


def test_a_second_door_joins_the_run() -> None:
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


def test_a_door_opens_while_a_restore_waits_for_a_late_connection() -> None:
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


# -- libvirt comes and goes ------------------------------------------------------------------------


def test_libvirtd_is_not_there_when_the_service_begins() -> None:
    async def story(host: ServedHost) -> None:
        host.happen(f"{SYSTEM} is lost for 10min")
        await host.serve(300)
        assert not host.life.login.held
        assert host.service.connections.watches[SYSTEM].trouble
        await asyncio.sleep(400)
        assert host.life.login.held
        assert host.wanted == "a b"
        await host.stop_units()
        assert host.up == ""

    tell(story, AB)


def test_guests_that_were_up_are_waited_for_by_a_service_that_never_saw_them() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen(f"{SYSTEM} is killed for 30s")
        host.kill()
        await host.serve(2)
        host.announce()
        await host.until_idle()
        assert host.up == ""
        await host.stop_units()

    tell(story, AB)


def test_libvirtd_is_killed_in_the_delay_window_and_comes_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(2)
        host.happen(f"{SYSTEM} is killed for 20s")
        await host.stop_units()
        assert host.up == ""
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


@pytest.mark.parametrize("announced", [True, False])
def test_libvirtd_is_gone_for_ever(announced: bool) -> None:
    """That is said, the host is let go, and what ran comes back at boot."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen(f"{SYSTEM} is lost")
        if announced:
            host.announce()
            await host.until_idle()
        await host.stop_units()
        assert host.said("cannot read the guests of")
        assert asyncio.get_running_loop().time() < 400
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


def test_libvirtd_is_restarted_now_and_then() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        for _ in range(5):
            host.happen(f"{SYSTEM} is killed for 2s")
            await asyncio.sleep(120)
            assert not host.service.connections.watches[SYSTEM].trouble
        host.happen("c is started")
        await asyncio.sleep(5)
        assert host.wanted == "a b c"
        host.happen("c powers itself off")
        await asyncio.sleep(5)
        assert host.wanted == "a b"
        assert host.touched == []

    tell(story, [*AB, off("c")])


def test_a_connection_that_comes_late() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        host.cut_power()
        host.sim.daemon(OTHER).lose_connections(600)
        await host.serve(120)
        assert host.up == "a"
        await asyncio.sleep(600)
        assert host.up == "a c"

    tell(story, [guest("a"), replace(guest("c"), uri=OTHER)], TWO_URIS)


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


def test_a_stop_that_was_about_to_settle_when_the_door_opened() -> None:
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
        by = StoppedBy.HOST if verb == "preserve" else StoppedBy.OPERATOR
        assert host.record("a").stopped_by is host.record("b").stopped_by is by
        assert host.record("a").settling is None
        assert host.wanted == ("a b" if verb == "preserve" else "")
        host.happen("b is started")
        await asyncio.sleep(5)
        assert host.record("b").wanted is Wanted.ON

    slow = Button(8.0)
    guests = [guest("a", save=Save(8.0), button=slow), guest("b", State.PMSUSPENDED, button=slow)]
    tell(story, [*guests, guest("c")])


# -- runs of others --------------------------------------------------------------------------------


def test_a_door_opens_during_an_operators_run_that_ends_soon() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        with host.operator():
            host.announce()
            await asyncio.sleep(20)
            assert host.touched == []
        await asyncio.sleep(10)
        assert host.up == ""
        assert not host.told_to_end.is_set()

    tell(story, AB)


def test_an_operators_run_is_told_to_end() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        with host.operator():
            host.announce()
            await host.told_to_end.wait()
        await asyncio.sleep(10)
        assert host.up == ""

    tell(story, AB)


def test_an_operators_run_that_does_not_end() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        with host.operator():
            host.announce()
            await host.until_idle()
            assert host.up == ""
            assert host.said("going on beside it")
        await host.stop_units()
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


# -- the restore that is owed ----------------------------------------------------------------------


def test_a_restart_brings_nobody_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("a crashes")
        await asyncio.sleep(5)
        await host.restart(60)
        assert host.up == "b"
        host.kill()
        await host.serve(60)
        assert host.touched == []

    tell(story, AB)


def test_a_soft_reboot_owes_a_restore() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.stop_units()
        host.stopping = False
        host.sim.soft_reboot()
        await host.serve(60)
        assert host.up == "a b"
        await host.restart(60)
        assert host.calls("start") == ["start a", "start b"]

    tell(story, AB)


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_restore_that_was_killed_is_still_owed(cancelled: bool) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await host.until_idle()
        if cancelled:
            host.cancel_shutdown()
            await host.until_idle("bringing guests back")
            await asyncio.sleep(1)
        else:
            await host.stop_units()
            await host.boot(1)
        host.kill()
        await host.serve(60)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b", start=Start(20.0))])


@pytest.mark.parametrize("claimed", [True, False])
def test_libvirts_autostart(claimed: bool) -> None:
    guests = [replace(one, autostart=True) for one in [*AB, off("never"), guest("turned-off")]]

    async def story(host: ServedHost) -> None:
        host.autostart = frozenset({SYSTEM} if claimed else ())
        host.sim.daemon(SYSTEM).autostart_is_done = True
        await host.serve(5)
        host.happen("turned-off powers itself off")
        await asyncio.sleep(200)
        await host.stop_units()
        await host.boot()
        assert host.up == ("a b never" if claimed else "a b")

    tell(story, guests)


# -- configuration ---------------------------------------------------------------------------------


def test_a_reload_with_other_connections() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.reload(TWO_URIS)
        await asyncio.sleep(5)
        assert host.wanted == "a b c"
        first_watch = host.service.connections.watches[SYSTEM]
        host.reload(TWO_URIS)
        assert host.service.connections.watches[SYSTEM] is first_watch
        host.reload(Config(general=General(uris=(OTHER,))))
        await asyncio.sleep(5)
        assert list(host.service.connections.watches) == [OTHER]
        await host.stop_units()
        assert host.calls("save") == ["save c"]

    tell(story, [*AB, replace(guest("c"), uri=OTHER)])


def test_a_reload_in_mid_run() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.announce()
        await asyncio.sleep(2)
        host.reload(Config(general=General(uris=(OTHER,))))
        await host.until_idle()
        assert host.up == ""

    tell(story, AB)


# -- systemd is asked for time ---------------------------------------------------------------------


def _asked_until(host: ServedHost) -> float:
    """When systemd would end the service, as far as it was asked for time."""
    return max((time + seconds for time, seconds in host.life.extensions), default=0.0)


def _gaps(host: ServedHost) -> float:
    """The longest time between two extensions."""
    times = [time for time, _ in host.life.extensions]
    return max(b - a for a, b in itertools.pairwise(times))


def test_systemd_is_asked_for_time_while_a_step_goes_on() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.stopping = True
        await host.terminate()
        assert asyncio.get_running_loop().time() > 500
        assert _gaps(host) <= INTERVAL
        assert _asked_until(host) - asyncio.get_running_loop().time() <= EXTENSION

    tell(story, [guest("a", save=Save(550.0)), guest("b")])


def test_systemd_is_asked_while_guests_wait_for_libvirtd_and_for_others() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen(f"{SYSTEM} is killed for 90s")
        host.stopping = True
        with host.operator():
            ending = asyncio.create_task(host.terminate())
            await asyncio.sleep(60)
        await ending
        assert host.up == ""
        assert _gaps(host) <= INTERVAL

    tell(story, AB)


def test_systemd_is_not_asked_any_more_once_all_steps_are_past_their_time() -> None:
    """A fault of ours, here a libvirt that never ends a step, is systemd's to end."""
    config = Config(shutdown=Shutdown(deadline=100.0))

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.stopping = True
        with patch.dict(take_down._DOING, _NEVER):
            host.life.triggers.terminate()
            await asyncio.sleep(3000)
            assert not host.life.is_over
            assert 60 < _asked_until(host) < 400

    tell(story, AB, config)


async def _never(*_: object) -> str:
    await asyncio.sleep(1e6)
    return ""


_NEVER = dict.fromkeys(take_down._DOING, _never)


# -- the guard -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [(100, 0, 200), (200, 0, 100), (100, 3 * 3600, 300), (100, -3600, 300)],
)
def test_the_guard_has_what_is_left_of_the_deadline(before: float, after: float, left: int) -> None:
    """By the time of day, whose jumps must not leave it with nothing."""
    config = Config(shutdown=Shutdown(deadline=300.0, save_timeout=280.0))

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.stopping = True
        host.life.triggers.terminate()
        await asyncio.sleep(before)
        host.kill()
        host.sim.clock_jump += after
        begun = asyncio.get_running_loop().time()
        await host.guard()
        assert host.up == ""
        assert asyncio.get_running_loop().time() - begun < left + 60
        assert host.lives[-1].process.report.plans

    tell(story, [guest("a", save=Save(1e5), button=IGNORED_BUTTON)], config)


def test_the_guard_has_nothing_to_do_after_a_good_run() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.stopping = True
        await host.terminate()
        assert await host.guard() is None
        assert len(host.runs()) == 2

    tell(story, AB)
