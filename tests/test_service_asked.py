"""Runs that somebody asked the service for, in virtual time: their beginning and their end."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace

import pytest

from guestctl.control.failure import ServiceLost
from guestctl.control.requests import Down, Failure, RequestError, Up
from guestctl.model.history import Actor
from guestctl.model.plan import RunKind
from guestctl.service.run_log import LoggedRun, RunState

from .served import AB, guest, off
from .sim.behaviour import Button, Save, Start
from .sim.service import ServedHost, tell

ALICE = Actor("alice", "pts/0", "guestctl shutdown --preserve")


def down(*names: str, kind: RunKind = RunKind.PRESERVE) -> Down:
    """A request of now."""
    return Down(kind, names, asyncio.get_running_loop().time())


async def ended(run: LoggedRun, limit: float = 600.0) -> LoggedRun:
    """The run, once it is over."""
    async with asyncio.timeout(limit):
        while run.state is not RunState.ENDED:  # noqa: ASYNC110 - of a test's run nobody is told
            await asyncio.sleep(0.1)
    return run


def test_who_asks_is_told_as_the_run_begins_and_has_its_events() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(down(), ALICE)
        assert (run.state, run.number, run.actor) == (RunState.RUNNING, 1, ALICE)
        assert host.service.state.activity == "preserving"
        assert host.life.lock.is_held()
        await ended(run)
        assert host.up == ""
        assert run.ok
        assert {line.doing for line in run.guests.values()} == {"saved"}
        assert run.is_last(run.since(0)[-1][0])
        assert host.service.state.activity == "watching"
        assert run.run is not None

    tell(story, AB)


def test_what_was_taken_down_is_started_as_asked() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await ended(await host.service.asked.begin(down("a", kind=RunKind.SHUTDOWN), ALICE))
        assert host.up == "b"
        run = await ended(await host.service.asked.begin(Up(("a",)), ALICE))
        assert (host.up, run.kind, run.ok) == ("a b", RunKind.RESTORE, True)

    tell(story, AB)


def test_what_keeps_a_run_from_beginning_is_the_answer() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        asked = host.service.asked
        with pytest.raises(RequestError, match="no guest has this name") as caught:
            await asked.begin(down("c"), ALICE)
        assert caught.value.failure is Failure.WRONG_REQUEST
        with host.operator(), pytest.raises(RequestError, match="another run") as caught:
            await asked.begin(down(), ALICE)
        assert caught.value.failure is Failure.LOCKED
        assert host.touched == []
        assert host.service.asked._log.runs == {}
        assert host.service.state.activity == "watching"

    tell(story, AB)


def test_two_do_not_ask_at_the_same_time() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        asked = host.service.asked
        first, second = await asyncio.gather(
            asked.begin(down(), ALICE), asked.begin(down(), ALICE), return_exceptions=True
        )
        assert isinstance(first, LoggedRun)
        assert isinstance(second, RequestError)
        assert second.failure is Failure.LOCKED
        assert "alice on pts/0" in str(second)
        await ended(first)
        assert host.up == ""

    tell(story, AB)


def test_it_goes_on_when_whoever_asked_leaves() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        asking = asyncio.create_task(host.service.asked.begin(down(), ALICE))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.sleep(60)
        assert host.up == ""

    tell(story, AB)


def test_nobody_need_be_there_for_what_keeps_it_from_beginning() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        asking = asyncio.create_task(host.service.asked.begin(down("c"), ALICE))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.sleep(60)
        gc.collect()  # asyncio says then what nobody looked at, which fails the test
        assert host.service.log.current is None

    tell(story, AB)


def test_cancelled_it_ends_as_by_ctrl_c() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(down(), ALICE)
        await asyncio.sleep(2)
        host.service.asked.cancel(run)
        await ended(run)
        assert run.result
        assert run.result.interrupted
        assert host.up == "b"  # its save took 8 s
        with pytest.raises(RequestError, match="it has ended"):
            host.service.asked.cancel(run)

    tell(story, [guest("a", save=Save(1.0)), guest("b", save=Save(8.0))])


def test_mistakes_in_the_files_keep_it_from_all_but_a_preserve() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        asked = host.service.asked
        asked._problems = lambda: ("guestctl.toml:3: not a number",)
        for request in (down("a", kind=RunKind.SHUTDOWN), Up(())):
            with pytest.raises(RequestError, match=r"cannot use the configuration:\n.*:3"):
                await asked.begin(request, ALICE)
        run = await ended(await asked.begin(down(), ALICE))
        assert run.ok
        assert any("guestctl.toml:3" in text for _, text in run.since(0))

    tell(story, AB)


# -- the host's end meanwhile ----------------------------------------------------------------------


def test_a_preserve_that_ends_in_time_is_waited_for() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(down(), ALICE)
        host.announce()
        await host.until_idle()
        assert run.ok
        assert host.up == ""
        assert not host.said("told to end")
        await host.stop_units()
        await host.boot()
        assert host.up == "a b"

    tell(story, AB)


def test_a_preserve_that_takes_too_long_makes_room_for_the_hosts_end() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        began = asyncio.get_running_loop().time()
        run = await host.service.asked.begin(down("a"), ALICE)
        host.announce()
        await host.until_idle()
        assert host.said("another run is told to end")
        assert not host.said("going on beside it")
        assert run.result
        assert run.result.interrupted
        assert host.up == ""
        assert asyncio.get_running_loop().time() - began < 400
        await host.stop_units()
        await host.boot(400)
        assert host.up == "a b"

    tell(story, [guest("a", save=Save(100.0)), guest("b")])


def test_whom_somebody_was_shutting_down_stays_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(down("a", kind=RunKind.SHUTDOWN), ALICE)
        await asyncio.sleep(1)
        host.announce()
        await host.until_idle()
        await host.stop_units()
        assert run.state is RunState.ENDED
        await host.boot(200)
        assert host.up == "b"

    tell(story, [guest("a", button=Button(100.0)), guest("b")])


def test_a_start_makes_room_and_none_is_begun_any_more() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(Up(("c",)), ALICE)
        host.announce()
        await host.until_idle()
        assert host.up == ""
        assert run.state is RunState.ENDED
        with pytest.raises(RequestError, match="the host is going down"):
            await host.service.asked.begin(Up(("c",)), ALICE)
        await host.stop_units()

    tell(story, [*AB, replace(off("c"), behaviour=replace(off("c").behaviour, start=Start(90.0)))])


def test_nobody_waits_for_a_start_once_the_host_goes_down() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.service.asked.begin(Up(("c",)), ALICE)
        host.announce()
        await asyncio.sleep(15)
        assert not {"a", "b"} & set(host.up.split())
        await host.until_idle()
        assert not host.said("told to end")
        assert host.up == ""
        await host.stop_units()

    tell(story, [*AB, replace(off("c"), behaviour=replace(off("c").behaviour, start=Start(40.0)))])


@pytest.mark.parametrize("kind", [RunKind.PRESERVE, RunKind.SHUTDOWN])
def test_a_stop_of_the_service_calls_no_preserve_off(kind: RunKind) -> None:
    """Root's command goes on by itself, once it sees that the service has gone."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        told: list[RunState] = []
        host.service.log.on_event = lambda run, _: told.append(run.state)
        await host.service.asked.begin(down("b", kind=kind), ALICE)
        await asyncio.sleep(2)
        await host.terminate()
        assert (RunState.ENDED in told) is (kind is RunKind.SHUTDOWN)

    tell(story, [guest("a"), guest("b", save=Save(20.0), button=Button(20.0))])


def test_a_stop_of_the_service_ends_it() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(down(), ALICE)
        await asyncio.sleep(2)
        service = host.service
        await host.terminate()
        assert run.result
        assert run.result.interrupted
        assert host.up == "b"
        with pytest.raises(ServiceLost, match="the service is ending"):
            await service.asked.begin(down(), ALICE)
        await host.serve(60)
        assert host.up == "b"

    tell(story, [guest("a", save=Save(1.0)), guest("b", save=Save(20.0))])
