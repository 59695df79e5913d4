"""A stop of the host that systemd forces early: in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from math import inf

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.host_units import StopLimit

from .served import guest
from .sim.behaviour import IGNORED_BUTTON, Image, Save
from .sim.service import ServedHost, tell

FORCED = 40.0
WHY = "systemd forces the host down after 40s (JobTimeoutSec= of poweroff.target): guests have 25s"
#: Saved in time, not saved in time, and never down by itself either.
GUESTS = [
    guest("a"),
    guest("b", save=Save(300.0)),
    guest("c", save=Save(inf), button=IGNORED_BUTTON),
]


def now() -> float:
    return asyncio.get_running_loop().time()


def trail(host: ServedHost, name: str) -> list[str]:
    return [line.reason for line in host.sim.ledger.trail.of(host.guest(name).id)]


def saved(host: ServedHost) -> list[str]:
    return [it.name for it in host.sim.guests() if it.image is Image.COMPLETE]


@pytest.mark.parametrize("told_by", ["logind", "systemd", "guard"])
def test_everybody_is_down_before(told_by: str) -> None:
    async def story(host: ServedHost) -> None:
        host.forced, host.kind = FORCED, "poweroff"
        await host.serve(5)
        begun = now()
        if told_by == "logind":
            host.announce("poweroff")
            await asyncio.sleep(5)
        if told_by == "guard":
            host.kill()
        await host.stop_units()
        assert now() - begun < FORCED - 2
        assert host.up == ""
        assert host.said(WHY)
        assert all(WHY in trail(host, name) for name in "abc")
        assert saved(host) == ["a"]
        await host.boot()
        assert host.up == "a b c"

    tell(story, GUESTS)


def test_a_deadline_that_is_shorter_anyway() -> None:
    async def story(host: ServedHost) -> None:
        host.forced = 100.0
        await host.serve(5)
        host.announce("poweroff")
        await host.until_idle()
        assert not host.said("systemd forces")

    tell(story, GUESTS, Config(shutdown=Shutdown(deadline=60.0)))


@pytest.mark.parametrize("fails", [False, True])
def test_without_an_answer_the_deadline_counts(fails: bool) -> None:
    async def story(host: ServedHost) -> None:
        async def fault(kind: str) -> StopLimit | None:
            raise RuntimeError(kind)

        host.forced = None
        if fails:
            host.stop_limit = fault  # type: ignore[method-assign]  # a fault of ours
        await host.serve(5)
        host.announce("poweroff")
        await host.until_idle()
        await host.stop_units()
        assert "b" in saved(host)
        assert host.said("internal error" if fails else "30min count")

    tell(story, GUESTS[:2])


def test_a_target_without_a_limit() -> None:
    async def story(host: ServedHost) -> None:
        host.forced = inf
        await host.serve(5)
        host.announce("halt")
        await host.until_idle()
        assert "b" in saved(host)
        assert not host.said("systemd")

    tell(story, GUESTS[:2])


def test_what_turns_out_as_units_are_stopped() -> None:
    """As on systemd 252: saves under way go on, as long as there is time for that."""

    async def story(host: ServedHost) -> None:
        host.forced, host.kind = FORCED, "poweroff"
        await host.serve(5)
        host.announce("")
        await asyncio.sleep(5)
        begun = now()
        await host.stop_units()
        assert now() - begun < FORCED - 2
        assert host.up == ""
        assert len(host.calls("abort_job")) == 2
        assert saved(host) == ["a", "d"]
        assert host.said("its time is nearly over")
        assert WHY in trail(host, "b")
        assert WHY not in trail(host, "d")

    tell(story, [*GUESTS, guest("d", save=Save(9.0))])


def test_what_turns_out_and_leaves_time_enough() -> None:
    async def story(host: ServedHost) -> None:
        host.forced, host.kind = 900.0, "poweroff"
        await host.serve(5)
        host.announce("")
        await asyncio.sleep(5)
        await host.stop_units()
        assert "b" in saved(host)
        assert host.calls("abort_job") == []

    tell(story, GUESTS[:2])


def test_time_that_has_gone_before_we_were_told_to_stop() -> None:
    """A service that is stopped before us may take its time."""

    async def story(host: ServedHost) -> None:
        async def late(kind: str) -> StopLimit:
            return StopLimit(f"{kind}.target", FORCED, 10.0)

        host.stop_limit = late  # type: ignore[method-assign]  # systemd's answer
        host.kind = "poweroff"
        await host.serve(5)
        begun = now()
        await host.stop_units()
        assert now() - begun < FORCED - 10.0
        assert host.up == ""

    tell(story, GUESTS)


def test_a_guard_after_a_service_that_was_killed() -> None:
    """What is gone of the time is gone for it as well."""

    async def story(host: ServedHost) -> None:
        async def limit(kind: str) -> StopLimit:
            return StopLimit(f"{kind}.target", FORCED, now() - begun)

        host.stop_limit = limit  # type: ignore[method-assign]  # systemd's answer
        host.kind, host.stopping = "poweroff", True
        await host.serve(5)
        begun = now()
        host.life.triggers.terminate()
        await asyncio.sleep(7)
        host.kill()
        await host.guard()
        assert now() - begun < FORCED - 2
        assert host.up == ""

    tell(story, GUESTS)


def test_another_answer_about_the_same_limit() -> None:
    """Asked anew at the next SIGTERM, by which requests to shut down are under way already."""

    async def story(host: ServedHost) -> None:
        answers = itertools.count(1)

        async def limit(kind: str) -> StopLimit:
            return StopLimit(f"{kind}.target", FORCED, now() - begun + next(answers) / 100)

        host.stop_limit = limit  # type: ignore[method-assign]  # systemd's answer
        host.kind, host.stopping = "poweroff", True
        await host.serve(5)
        begun = now()
        host.life.triggers.terminate()
        await asyncio.sleep(17)
        host.life.triggers.terminate()
        await host.stop_units()
        assert next(answers) > 2
        assert not host.said("begins anew")
        assert host.up == ""

    tell(story, GUESTS)
