"""Waiting until a guest is ready, in virtual time."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from guestctl.model.readiness import HasRun, Rule
from guestctl.runs import readiness
from tests.ready_scene import ADDRESS, AGENT, LIMIT, TCP, WORKS, Scene, now, play, wait
from tests.sim.behaviour import Agent, Behaviour
from tests.sim.guest import SimGuest
from tests.sim.lock import Reply


def test_without_a_rule_it_is_ready_at_once_and_nobody_is_asked() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        assert await scene.wait(guest, ()) == ""
        assert (now(), scene.daemon.calls) == (0.0, [])

    play(story, Behaviour())


@pytest.mark.parametrize("rule", [AGENT, ADDRESS, TCP])
def test_what_holds_already_is_not_waited_for(rule: Rule) -> None:
    why, at = wait([rule], WORKS)
    assert why == ""
    assert at < 0.1


@pytest.mark.parametrize(
    ("rule", "behaviour"),
    [
        (AGENT, Behaviour(agent=Agent.WORKS, boots=33.0)),
        (ADDRESS, Behaviour(address=33.0)),
        (TCP, Behaviour(address=0.0, accepts=33.0)),
        (TCP, Behaviour(address=33.0, accepts=0.0)),
    ],
)
def test_it_is_ready_soon_after_the_rule_holds(rule: Rule, behaviour: Behaviour) -> None:
    why, at = wait([rule], behaviour)
    assert why == ""
    assert 33 <= at <= 33 * 1.1 + 0.5


def test_an_agent_that_connects_is_asked_at_once() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        await scene.hypervisor.guests()  # from now on events are heard
        await scene.hypervisor.poweroff(guest.uuid)
        await scene.hypervisor.start(guest.uuid)
        begun = now()
        assert await scene.wait(guest, [AGENT]) == ""
        assert now() - begun == pytest.approx(47.0, abs=0.01)

    play(story, Behaviour(agent=Agent.WORKS, boots=47.0))


def test_a_delay_is_over_to_the_moment() -> None:
    assert wait([HasRun(20.0)], Behaviour()) == ("", 20.0)


def test_all_rules_have_to_hold_and_the_last_decides_when() -> None:
    rules: list[Rule] = [HasRun(5.0), AGENT, ADDRESS, TCP]
    behaviour = Behaviour(agent=Agent.WORKS, boots=10.0, address=30.0, accepts=60.0)
    why, at = wait(rules, behaviour)
    assert why == ""
    assert 60 <= at <= 67


def test_delays_run_beside_the_other_rules() -> None:
    why, at = wait([HasRun(50.0), AGENT], Behaviour(agent=Agent.WORKS, boots=40.0))
    assert (why, at) == ("", 50.0)


def test_what_has_held_is_not_asked_again() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        assert await scene.wait(guest, [AGENT, ADDRESS]) == ""
        assert scene.asked("ping_agent") == [0.0]
        assert len(scene.asked("addresses")) > 5

    play(story, Behaviour(agent=Agent.WORKS, address=40.0))


@pytest.mark.parametrize(
    ("rule", "behaviour", "why"),
    [
        (
            AGENT,
            Behaviour(agent=Agent.ABSENT),
            "agent: Guest agent is not responding: QEMU guest agent is not connected",
        ),
        (ADDRESS, Behaviour(), "address: libvirt knows no address of it"),
        (TCP, Behaviour(), "tcp:5432: libvirt knows no address of it"),
    ],
)
def test_in_time_or_not_at_all(rule: Rule, behaviour: Behaviour, why: str) -> None:
    assert wait([rule], behaviour) == (why, LIMIT)


def test_a_port_that_refuses_is_named_with_the_address() -> None:
    why, _ = wait([TCP], Behaviour(address=0.0))
    assert why.startswith("tcp:5432: 10.")
    assert why.endswith(": Connection refused")


def test_where_nothing_can_connect_that_is_said() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        scene.probe.connects = nobody  # type: ignore[method-assign]
        assert (await scene.wait(guest, [TCP], 5.0)).endswith(": there is no probe")

    async def nobody(address: str, port: int, limit: float) -> str:
        del address, port, limit
        return "there is no probe"

    play(story, WORKS)


def test_an_agent_that_hangs_is_given_up_in_time() -> None:
    why, at = wait([AGENT], Behaviour(agent=Agent.HANGS))
    assert "no synchronization within '5' seconds" in why
    assert LIMIT <= at <= LIMIT + readiness.ASK_LIMIT


def test_one_whose_libvirtd_says_nothing_is_given_up_in_time() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        live = scene.live(guest)
        guest.behaviour = Behaviour(wedged=True)
        why = await scene.checks.wait(live, (AGENT,), LIMIT)
        assert why.startswith("its state could not be read: no answer within")
        assert LIMIT <= now() <= LIMIT + readiness.ASK_LIMIT

    play(story, WORKS)


def test_without_an_agent_there_is_nothing_to_wait_for() -> None:
    why, at = wait([AGENT], Behaviour(agent=Agent.NONE))
    assert why == "agent: argument unsupported: QEMU guest agent is not configured"
    assert at < 1


def test_one_look_is_taken_at_least() -> None:
    assert wait([AGENT], WORKS, 0.0) == ("", 0.0)
    assert wait([ADDRESS], Behaviour(), 0.0) == ("address: libvirt knows no address of it", 0.0)


def test_a_delay_longer_than_the_limit_is_waited_for() -> None:
    assert wait([HasRun(300.0)], Behaviour()) == ("", 300.0)


def test_a_guest_that_goes_down_ends_the_wait() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        await scene.hypervisor.guests()
        asyncio.get_running_loop().call_later(33.3, guest.shut_itself_down)
        assert await scene.wait(guest, [ADDRESS]) == "it went down again"
        assert now() == pytest.approx(33.3, abs=0.1)

    play(story, Behaviour())


def test_so_does_one_without_an_event_and_one_that_is_gone() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        asyncio.get_running_loop().call_later(33.3, scene.daemon.remove, guest)
        assert await scene.wait(guest, [HasRun(60.0), ADDRESS]) == "it went down again"
        assert now() < 40

    play(story, Behaviour(loses_events=True))


def test_a_paused_guest_is_not_ready_until_it_runs() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        await scene.hypervisor.guests()
        guest.pause()
        asyncio.get_running_loop().call_later(30.0, guest.unpause, Reply())
        assert await scene.wait(guest, [AGENT]) == ""
        assert now() == pytest.approx(30.0, abs=0.1)
        assert scene.progress[0] == "it is paused"

    play(story, WORKS)


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_a_libvirtd_that_is_away_for_a_while_is_waited_for(seconds: float) -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        asyncio.get_running_loop().call_later(10.0, scene.daemon.lose_connections, seconds)
        assert await scene.wait(guest, [ADDRESS]) == ""
        assert now() < max(20, 10 + seconds) + 15

    play(story, Behaviour(address=20.0))


def test_looks_get_rarer() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        await scene.wait(guest, [ADDRESS], 600.0)
        asked = scene.asked("addresses")
        gaps = [after - before for before, after in itertools.pairwise(asked)]
        assert min(gaps[:-1]) >= readiness.LEAST_PAUSE - 0.01
        assert max(gaps) <= readiness.MOST_PAUSE + 0.01
        assert len(asked) < 90

    play(story, Behaviour())


def test_what_is_waited_for_is_told() -> None:
    async def story(scene: Scene, guest: SimGuest) -> None:
        await scene.wait(guest, [ADDRESS, HasRun(30.0)])
        assert set(scene.progress) == {
            "address: libvirt knows no address of it",
            "delay:30s: not over yet",
        }

    play(story, Behaviour(address=10.0))
