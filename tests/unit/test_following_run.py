"""A run of the service is shown whole to whoever follows it, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from guestctl.control import following_run
from guestctl.control.following_run import follow_run
from guestctl.control.requests import RequestError, Shown
from guestctl.control.service_on_bus import reached
from guestctl.host.bus_values import Variant
from guestctl.model.report import RunEvent
from guestctl.model.result import RunResult
from tests.unit.fake_guestctl import PATH, RESULT, STORY, FakeGuestctl, guestctl_on
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async


@pytest.fixture(autouse=True)
def address(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    monkeypatch.setattr(following_run, "_PAUSE", 0.02)
    monkeypatch.setattr(following_run, "_runs", lambda: True)


class Follower:
    """Follows the run, in a task."""

    def __init__(self) -> None:
        self.told: list[RunEvent] = []
        self.said: list[str] = []
        #: When each event was.
        self.at: list[float] = []
        self._shown = Shown(self.told.append, as_of=self.at.append)
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> RunResult:
        async with reached() as service:
            return await follow_run(service, PATH, self._shown, self.said.append)

    async def has(self, count: int) -> None:
        """Wait for so many events."""
        await until(lambda: len(self.told) >= count or self.task.done())


@asynccontextmanager
async def followed(
    bus: PrivateBus, *before: RunEvent
) -> AsyncIterator[tuple[FakeGuestctl, Follower]]:
    """A run that has told this before anybody came."""
    async with guestctl_on(bus) as service:
        for event in before:
            service.tell(event, aloud=False)
        follower = Follower()
        try:
            await until(lambda: "Events" in service.calls)
            await follower.has(len(before))
            yield service, follower
        finally:
            follower.task.cancel()


def test_the_whole_state_so_far_and_then_what_follows(bus: PrivateBus) -> None:
    async def work() -> None:
        async with followed(bus, *STORY[:2]) as (service, follower):
            for event in STORY[2:]:
                service.tell(event)
            assert await follower.task == RESULT
            assert follower.told == STORY
            assert follower.said == []
            assert follower.at == [1.0, 2.0, 3.0, 4.0, 5.0]

    run_async(work())


def test_a_run_that_is_over_is_there_from_its_events_alone(bus: PrivateBus) -> None:
    async def work() -> None:
        async with guestctl_on(bus) as service:
            for event in STORY:
                service.tell(event, aloud=False)
            service.end()
            follower = Follower()
            assert await follower.task == RESULT
            assert follower.told == STORY

    run_async(work())


def test_what_was_not_heard_is_asked_for(bus: PrivateBus) -> None:
    async def work() -> None:
        async with followed(bus, STORY[0]) as (service, follower):
            service.tell(STORY[1], aloud=False)
            service.tell(STORY[2], aloud=False)
            service.tell(STORY[3])
            await follower.has(4)
            service.tell(STORY[4])
            assert await follower.task == RESULT
            assert follower.told == STORY

    run_async(work())


def test_an_end_that_was_not_heard_is_asked_for(bus: PrivateBus) -> None:
    """As when its event is longer than any signal that is read."""

    async def work() -> None:
        async with followed(bus, *STORY[:4]) as (service, follower):
            service.tell(STORY[4], aloud=False)
            service.end()
            assert await follower.task == RESULT
            assert follower.told == STORY

    run_async(work())


def test_nothing_heard_for_long_has_it_asked(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_run, "_QUIET", 0.05)

    async def work() -> None:
        async with followed(bus) as (service, follower):
            for event in STORY:
                service.tell(event, aloud=False)
            assert await follower.task == RESULT

    run_async(work())


def test_events_of_a_later_version_are_passed_over(bus: PrivateBus) -> None:
    async def work() -> None:
        async with followed(bus, *STORY[:2]) as (service, follower):
            text = '{"event": "GuestBlessed", "monotonic": 3}'
            service.log.append((3, text))
            service.of_run("Event", "ts", 3, text)
            for event in STORY[2:]:
                service.tell(event)
            await follower.task
            assert follower.told == STORY

    run_async(work())


def test_events_that_came_twice_are_told_once(bus: PrivateBus) -> None:
    async def work() -> None:
        async with followed(bus, *STORY[:2]) as (service, follower):
            for number, text in service.log:
                service.of_run("Event", "ts", number, text)
            for event in STORY[2:]:
                service.tell(event)
            await follower.task
            assert follower.told == STORY

    run_async(work())


@pytest.mark.parametrize(("told", "said"), [(0, "did not begin"), (2, "was cut off")])
def test_a_run_that_ends_without_a_result(bus: PrivateBus, told: int, said: str) -> None:
    async def work() -> None:
        async with followed(bus, *STORY[:told]) as (service, follower):
            service.end()
            with pytest.raises(RequestError, match=f"the run {said}: see "):
                await follower.task

    run_async(work())


def test_a_bus_that_starts_anew_loses_nothing(bus: PrivateBus) -> None:
    async def work() -> None:
        async with followed(bus, *STORY[:2]) as (service, follower):
            bus.kill()
            service.leave()  # what is read of the old bus is not answered on the new one
            service.tell(STORY[2], aloud=False)
            bus.start()
            await service.connect(bus.address)
            await until(lambda: "the run is followed again" in follower.said)
            await follower.has(3)
            for event in STORY[3:]:
                service.tell(event)
            assert await follower.task == RESULT
            assert follower.told == STORY
            assert "looking for it for 60 s" in follower.said[0]

    run_async(work())


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_service_that_ends_in_mid_run(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch, *, comes_back: bool
) -> None:
    """One that was started anew has another run there, or none."""
    monkeypatch.setattr(following_run, "_runs", lambda: comes_back)

    async def work() -> None:
        async with followed(bus, STORY[0]) as (service, follower):
            service.leave()
            if comes_back:
                service.properties["Began"] = Variant("t", 8)
                await service.connect(bus.address)
            said = "the service has ended in mid-run; what became of the run: .*history"
            with pytest.raises(RequestError, match=said):
                await follower.task

    run_async(work())


def test_a_service_that_cannot_be_understood_is_not_asked_for_ever(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there at each try, and the run cannot be followed for all that."""
    monkeypatch.setattr(following_run, "LIMIT", 0.2)

    async def work() -> None:
        async with followed(bus, STORY[0]) as (service, follower):
            service.answer("Events", "s", "something else")
            service.emit("RunEnded", "ossb", PATH, "preserve", "command", True)
            with pytest.raises(RequestError, match="the service did not come back"):
                await follower.task
            assert len(follower.said) == 1
            assert service.calls.count("Events") < 20

    run_async(work())


def test_a_bus_that_stays_away(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_run, "LIMIT", 0.2)

    async def work() -> None:
        async with followed(bus, STORY[0]) as (_, follower):
            bus.kill()
            with pytest.raises(RequestError, match="the service did not come back to the bus for"):
                await follower.task

    run_async(work())
