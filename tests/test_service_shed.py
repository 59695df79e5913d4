"""Guests that are shed while their host stays up, and come back by `resume` alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.control.requests import Failure, RequestError, Up
from guestctl.model import record as records
from guestctl.model.record import Wanted
from guestctl.service.run_log import RunState

from .served import guest, off
from .shedding import (
    NUMBERED,
    ROOT,
    SLOW,
    doings,
    ended,
    is_shed,
    resume,
    resume_request,
    shed,
    shed_request,
)
from .sim.behaviour import Save
from .sim.service import ServedHost, tell

ABC = [guest("a"), guest("b"), guest("c")]


def test_who_is_named_is_shed_and_comes_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await shed(host, "a")
        assert (run.trigger, run.ok, doings(run)) == ("shed", True, {"a": "saved"})
        assert (host.up, is_shed(host), host.record("a").wanted) == ("b c", "a", Wanted.ON)
        assert host.record("a").shed == "on battery"
        run = await resume(host)
        assert (run.trigger, run.ok, doings(run)) == ("resume", True, {"a": "resumed"})
        assert (host.up, is_shed(host)) == ("a b c", "")

    tell(story, ABC)


def test_each_further_one_takes_the_next_number() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        for names, left in (("a", "b c"), ("a b", "c")):
            await shed(host)
            assert (is_shed(host), host.up) == (names, left)
        with pytest.raises(RequestError, match="no guest that is up has an `order`") as caught:
            await shed(host)
        assert caught.value.failure is Failure.WRONG_REQUEST
        assert doings(await resume(host)) == {"a": "resumed", "b": "resumed"}
        assert host.up == "a b c"

    tell(story, ABC, NUMBERED)


def test_from_a_number_on() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, order=25)
        assert is_shed(host) == "a"
        assert doings(await shed(host, order=20)) == {"a": "skipped", "b": "saved"}
        again = await shed(host, order=20)
        assert (again.ok, doings(again)) == (True, {"a": "skipped", "b": "skipped"})
        assert is_shed(host) == "a b"

    tell(story, ABC, NUMBERED)


def test_who_is_shed_already_is_left_alone() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        before = host.record("a")
        again = await shed(host, "a")
        assert (again.ok, doings(again), host.record("a")) == (True, {"a": "skipped"}, before)

    tell(story, ABC)


def test_just_the_named_come_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a", "b")
        await resume(host, "b", "c")
        assert (host.up, is_shed(host)) == ("b c", "a")

    tell(story, ABC)


def test_where_nobody_is_shed_nothing_happens() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await resume(host)
        assert (run.ok, doings(run), host.touched) == (True, {}, [])

    tell(story, [*ABC, off("d")])


def test_who_could_not_be_brought_back_is_not_shed() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        b = host.record("b")
        await host.life.context.ledger(lambda ledger: ledger.put(records.held(b, "mine")), None)
        run = await shed(host, "b", "t")
        assert (run.ok, doings(run)) == (True, {"b": "skipped", "t": "skipped"})
        assert host.up == "a b c t"

    tell(story, [*ABC, replace(guest("t"), persistent=False)])


# -- others meanwhile ------------------------------------------------------------------------------


@pytest.mark.parametrize("goes_off", [False, True])
def test_whoever_starts_it_otherwise_ends_that(goes_off: bool) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a", "b")
        host.happen("a is started")
        await asyncio.sleep(60)
        if goes_off:
            host.happen("a powers itself off")
            await asyncio.sleep(300)
        assert is_shed(host) == "b"
        await resume(host)
        assert host.up == ("b c" if goes_off else "a b c")

    tell(story, ABC)


def test_also_while_no_service_is_there() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a", "b")
        await host.terminate()
        host.happen("a is started")
        await asyncio.sleep(60)
        host.happen("a powers itself off")
        await asyncio.sleep(60)
        await host.serve(60)
        await resume(host)
        assert (host.up, host.record("a").wanted) == ("b c", Wanted.OFF)

    tell(story, ABC)


def test_nobody_but_resume_and_start_brings_it_back_while_the_host_is_up() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        await host.restart(100)
        host.kill()
        await host.serve(400)
        assert (host.up, is_shed(host)) == ("b c", "a")
        await ended(await host.service.asked.begin(Up(()), ROOT))
        assert (host.up, is_shed(host)) == ("a b c", "")

    tell(story, ABC)


def test_who_is_shut_down_by_name_is_not_shed_any_more() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        await host.shut_down("a")
        assert (is_shed(host), host.record("a").wanted) == ("", Wanted.OFF)
        await resume(host)
        assert host.up == "b c"

    tell(story, ABC)


# -- the power goes, the host goes down ------------------------------------------------------------


def test_a_boot_brings_it_back_and_ends_that() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        await host.boot()
        assert (host.up, is_shed(host)) == ("a b c", "")
        await resume(host)
        assert host.up == "a b c"

    tell(story, ABC)


def test_a_host_that_goes_down_after_it_brings_everybody_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        host.announce()
        await host.until_idle()
        assert host.up == ""
        with pytest.raises(RequestError, match="the host is going down") as caught:
            await host.service.asked.begin(resume_request(), ROOT)
        assert caught.value.failure is Failure.LOCKED
        await host.stop_units()
        await host.boot()
        assert (host.up, is_shed(host)) == ("a b c", "")

    tell(story, ABC)


def test_a_shutdown_that_is_cancelled_leaves_it_shed() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        host.announce()
        await asyncio.sleep(3)
        host.cancel_shutdown()
        await asyncio.sleep(200)
        assert (host.up, is_shed(host)) == ("b c", "a")
        await resume(host)
        assert host.up == "a b c"

    tell(story, [guest("a"), guest("b", save=SLOW), guest("c")])


def test_nor_does_one_whose_service_was_killed_before_it_was_cancelled() -> None:
    """As a soft-reboot it has a run for the host's stop and the same boot."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        host.announce()
        await host.until_idle()
        host.kill()
        host.cancel_shutdown()
        await host.serve(200)
        assert (host.up, is_shed(host)) == ("b c", "a")
        await resume(host)
        assert host.up == "a b c"

    tell(story, ABC)


def test_a_soft_reboot_ends_it_though_the_boot_is_the_same() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        host.announce("soft-reboot")
        await host.until_idle()
        await host.stop_units()
        host.preparing = host.stopping = False
        await host.serve(60)
        assert (host.up, is_shed(host)) == ("a b c", "")

    tell(story, ABC)


def test_the_host_goes_down_in_the_midst_of_it() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(shed_request("a"), ROOT)
        host.announce()
        await host.until_idle()
        assert (host.up, run.state) == ("", RunState.ENDED)
        await host.stop_units()
        await host.boot(200)
        assert (host.up, is_shed(host)) == ("a b c", "")

    tell(story, [guest("a", save=Save(100.0)), guest("b"), guest("c")])


# -- killed, called off ----------------------------------------------------------------------------


def test_killed_in_the_midst_what_was_begun_is_known() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.service.asked.begin(shed_request("a"), ROOT)
        await asyncio.sleep(5)
        host.kill()
        await host.serve(200)
        assert (host.up, is_shed(host), host.record("a").wanted) == ("b c", "a", Wanted.ON)
        await resume(host)
        assert (host.up, is_shed(host)) == ("a b c", "")

    tell(story, [guest("a", save=SLOW), guest("b"), guest("c")])
