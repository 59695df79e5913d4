"""The service's runs, in virtual time: beside others', at boot; time from systemd; the guard's."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from unittest.mock import patch

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.runs import order, take_down
from guestctl.service.stop_timeout import EXTENSION, INTERVAL

from .served import AB, RESTARTED, SYSTEM, guest, off
from .sim.behaviour import IGNORED_BUTTON, Save, Start
from .sim.service import ServedHost, tell

# -- runs of others --------------------------------------------------------------------------------


def test_the_host_goes_down_during_an_operators_run_that_ends_soon() -> None:
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
    [(100, 0, 200), (200, 0, 100), (100, 24 * 60, 200), (100, 3 * 3600, 200), (100, -3600, 200)],
)
def test_the_guard_has_what_is_left_of_the_deadline(before: float, after: float, left: int) -> None:
    """Whatever the time of day jumps to between the two."""
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
        assert left - 60 < asyncio.get_running_loop().time() - begun < left + 60
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


def test_what_was_lost_of_the_ledger_is_told_by_the_next_run_of_all_guests() -> None:
    """A run that starts one guest by name does not speak of it, and leaves it to that."""

    async def story(host: ServedHost) -> None:
        await host.serve(400)
        host.sim.ledger.loss = "rows may be missing"
        host.happen("a powers itself off")
        await asyncio.sleep(30)
        host.announce()
        await host.until_idle()
        assert host.runs()[-2:] == [
            ("restore", "user-shutdown", True),
            ("preserve", "host-stop", False),
        ]
        assert host.sim.ledger.loss == ""

    tell(story, AB, RESTARTED)


def test_a_fault_in_starting_guests_again_keeps_no_guest_from_safety(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        stays = host.service._restarts._until_host_stays
        monkeypatch.setattr(host.service._restarts, "_until_host_stays", lambda: 1 // 0)
        host.happen("a powers itself off")
        await asyncio.sleep(30)
        monkeypatch.setattr(host.service._restarts, "_until_host_stays", stays)
        await asyncio.sleep(30)
        assert host.up == "a b"
        host.announce()
        await host.until_idle()
        assert host.up == ""

    tell(story, AB, RESTARTED)


def test_a_fault_in_making_the_order_keeps_no_guest_from_safety(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        monkeypatch.setattr(order, "sequence_for", lambda *_: 1 // 0)
        host.announce()
        await host.until_idle()
        assert host.calls("save") == ["save a", "save b"]
        assert host.said("internal error, guests go down without an order")

    tell(story, AB)
