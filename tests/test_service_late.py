"""The world is late: who could not be brought up at boot is, once what it needs is there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Boot
from guestctl.model.guest import State
from guestctl.service import late

from .served import SYSTEM, guest, off
from .sim.behaviour import Start
from .sim.service import ServedHost, tell

#: Longer than the boot's own attempts.
GIVEN_UP = 60.0
HOURS = 7200.0
#: Guests are tried for longer than any story takes.
PATIENT = Config(boot=Boot(start_retry=30 * 86400.0))


def lose_disk(host: ServedHost, name: str) -> None:
    host.happen(f"{name} has no disk")


async def go_down_and_boot(host: ServedHost, seconds: float = GIVEN_UP) -> None:
    """With everybody saved, or started anew where that was a power cut."""
    await host.serve(5)
    await host.stop_units()
    host.cut_power()


def waits(host: ServedHost, name: str) -> str | None:
    """What the guest waits for."""
    record = host.record(name)
    return record.waiting(host.service.state.boot)


async def wait_in_vain(host: ServedHost) -> None:
    await host.serve(5)
    host.cut_power()
    lose_disk(host, "a")
    await host.serve(GIVEN_UP)
    assert waits(host, "a")


# -- cold and saved ------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [GIVEN_UP, HOURS])
def test_a_cold_guest_whose_disk_comes_late(seconds: float) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        lose_disk(host, "a")
        await host.serve(seconds)
        assert host.up == "b"
        assert "No such file" in str(waits(host, "a"))
        host.happen("a has its disk again")
        await asyncio.sleep(2 * late.LOOK)
        assert host.up == "a b"
        assert waits(host, "a") is None
        assert host.runs()[-1] == ("restore", "late", True)

    tell(story, [guest("a"), guest("b")])


def test_a_saved_guest_whose_disk_comes_late() -> None:
    async def story(host: ServedHost) -> None:
        await go_down_and_boot(host)
        lose_disk(host, "a")
        await host.serve(600)
        assert host.up == "b"
        assert waits(host, "a")
        host.happen("a has its disk again")
        await asyncio.sleep(2 * late.LOOK)
        assert host.up == "a b"
        assert host.began("a") == 1
        assert host.calls("start") == ["start b", "start a"]

    tell(story, [guest("a"), guest("b")])


def test_nobody_has_to_wait_for_a_saved_guest_that_waits() -> None:
    """The run of the boot does not go on for its sake, and keep others from being tried."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.preserve("a")
        host.cut_power()
        lose_disk(host, "a")
        lose_disk(host, "b")
        await host.serve(30)
        host.happen("b has its disk again")
        await asyncio.sleep(2 * late.LOOK)
        assert host.up == "b"

    tell(story, [guest("a"), guest("b")])


def test_saves_whose_folder_is_mounted_late() -> None:
    async def story(host: ServedHost) -> None:
        await go_down_and_boot(host)
        host.happen("the saves are not mounted")
        for name in ("a", "b"):
            host.guest(name).look_for_image()
        await host.serve(600)
        assert host.up == ""
        host.happen("the saves are mounted")
        await asyncio.sleep(2 * late.LOOK)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_a_network_that_is_started_by_hand() -> None:
    """libvirt tells of it: the guest is up a moment later, not once its pause is over."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(HOURS)
        assert "network 'manual' is not active" in str(waits(host, "a"))
        host.guest("a").lacks = ""
        host.sim.daemon(SYSTEM).stir()
        await asyncio.sleep(3)
        assert host.up == "a"

    tell(story, [guest("a")])


def test_nothing_tells_and_it_is_tried_all_the_same() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(HOURS)
        host.guest("a").lacks = ""
        await asyncio.sleep(late.MOST_PAUSE + 5)
        assert host.up == "a"

    tell(story, [guest("a")], PATIENT)


@pytest.mark.thorough
def test_attempts_are_rare_and_leave_no_trace_until_one_works() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        await host.serve(GIVEN_UP)
        runs, trail = host.runs(), host.sim.ledger.trail.of(host.guest("a").id)
        attempts = len(host.calls("start"))
        await asyncio.sleep(24 * 3600)
        assert host.runs() == runs
        assert host.sim.ledger.trail.of(host.guest("a").id) == trail
        assert 100 < len(host.calls("start")) - attempts < 200
        assert [text for _, text in host.log if "waited for" in text] != []

    tell(story, [guest("a")], PATIENT, most=10 * 24 * 3600)


def test_another_reason_is_news() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.guest("a").lacks = "manual"
        lose_disk(host, "a")
        await host.serve(GIVEN_UP)
        assert "No such file" in str(waits(host, "a"))
        host.happen("a has its disk again")
        await asyncio.sleep(60)
        assert "network 'manual'" in str(waits(host, "a"))

    tell(story, [guest("a")])


def test_while_libvirtd_is_gone_nobody_is_looked_after_in_haste(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who was due then, and could not be tried, had the ledger asked ten times a second."""
    asked = []
    look = late.LateGuests._waiting

    def counted(guests: late.LateGuests) -> Any:
        asked.append(1)
        return look(guests)

    monkeypatch.setattr(late.LateGuests, "_waiting", counted)

    async def story(host: ServedHost) -> None:
        await wait_in_vain(host)
        host.happen(f"{SYSTEM} is killed for 900s")
        await asyncio.sleep(120)  # its pause is over
        asked.clear()
        await asyncio.sleep(600)
        assert len(asked) <= 600 / late.LOOK
        host.happen("a has its disk again")
        await asyncio.sleep(300)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


# -- who is not waited for -----------------------------------------------------------------------


def test_a_guest_that_was_off_is_not_waited_for() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(HOURS)
        assert host.service.state.waiting == {}
        assert host.calls("start") == []

    tell(story, [off("a"), guest("b")])


def test_a_definition_that_is_not_for_this_host_is_held() -> None:
    """No time mends a machine type that the upgraded host has not any more."""
    message = "unsupported configuration: Emulator 'qemu' does not support machine type 'pc-1.0'"

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        await host.serve(HOURS)
        assert host.calls("start") == ["start a"]
        assert "does not support machine type" in str(host.record("a").hold)
        assert "`virsh edit a`, then `guestctl release a`" in str(host.record("a").hold)
        assert waits(host, "a") is None

    tell(story, [guest("a", start=Start(fails=99, message=message))])


def test_a_definition_that_was_mended_is_held_no_more_once_it_runs() -> None:
    message = "unsupported configuration: Emulator 'qemu' does not support machine type 'pc-1.0'"

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        await host.serve(GIVEN_UP)
        assert host.record("a").hold
        host.happen("a is started")
        await asyncio.sleep(5)
        assert host.record("a").hold is None
        host.cut_power()
        await host.serve(GIVEN_UP)
        assert host.up == "a"

    tell(story, [guest("a", start=Start(fails=1, message=message))])


def test_a_start_that_hangs_is_not_begun_a_second_time_meanwhile() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        await host.serve(HOURS)
        assert host.calls("start") == ["start a"]
        assert host.up == "a"
        assert host.guest("a").state is State.RUNNING

    tell(story, [guest("a", start=Start(3600.0))])


# -- faults that pass ----------------------------------------------------------------------------


def test_xml_that_could_not_be_read_once() -> None:
    """One call that failed used to give up everybody."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.sim.daemon(SYSTEM).failing.add("domain_info")
        await host.serve(GIVEN_UP)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_a_ledger_that_does_not_answer_for_a_while() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.cut_power()
        host.sim.ledger_answers = False
        asyncio.get_running_loop().call_later(25, setattr, host.sim, "ledger_answers", True)
        await host.serve(GIVEN_UP)
        assert host.up == "a b"

    tell(story, [guest("a"), guest("b")])


def test_a_restart_while_the_ledger_does_not_answer_restores_nothing() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.happen("a gets SIGKILL")
        await asyncio.sleep(400)
        host.sim.ledger_answers = False
        asyncio.get_running_loop().call_later(25, setattr, host.sim, "ledger_answers", True)
        await host.restart(GIVEN_UP)
        assert host.up == "b"

    tell(story, [guest("a"), guest("b")])


def test_flags_are_not_followed_while_the_ledger_may_still_say_otherwise() -> None:
    async def story(host: ServedHost) -> None:
        host.autostart = frozenset({SYSTEM})
        host.sim.daemon(SYSTEM).autostart_is_done = True
        await host.serve(5)
        host.happen("a powers itself off")
        await asyncio.sleep(400)
        host.cut_power()
        host.sim.ledger_answers = False
        asyncio.get_running_loop().call_later(25, setattr, host.sim, "ledger_answers", True)
        await host.serve(GIVEN_UP)
        assert host.up == "b"

    tell(story, [guest("a", autostart=True), guest("b", autostart=True)])


def test_flags_are_followed_once_where_the_ledger_stays_away() -> None:
    """Nobody knows that an administrator turned a guest off since: it is not started again."""

    async def story(host: ServedHost) -> None:
        host.autostart = frozenset({SYSTEM})
        host.sim.daemon(SYSTEM).autostart_is_done = True
        await host.serve(5)
        host.cut_power()
        host.sim.ledger_answers = False
        await host.serve(700)
        assert host.up == "a b"
        host.happen("a is destroyed")
        await asyncio.sleep(HOURS)
        assert host.up == "b"
        host.sim.ledger_answers = True
        await asyncio.sleep(HOURS)
        assert host.up == "b"

    tell(story, [guest("a", autostart=True), guest("b", autostart=True)])
