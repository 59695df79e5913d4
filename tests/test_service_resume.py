"""`resume` of guests that were shed, also in the midst of that, and whom it cannot bring back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.control.requests import RequestError
from guestctl.model.record import Wanted

from .served import guest
from .shedding import (
    ROOT,
    SLOW,
    UNSAVED,
    doings,
    is_shed,
    resume,
    resume_request,
    shed,
    shed_request,
)
from .sim.behaviour import IGNORED_BUTTON, Button, Save
from .sim.service import ServedHost, tell

ABC = [guest("a"), guest("b"), guest("c")]


def test_resume_calls_it_off_and_brings_back_whom_it_took() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        run = await host.service.asked.begin(shed_request("a", "b"), ROOT)
        await asyncio.sleep(5)
        back = await resume(host)
        assert run.result
        assert run.result.interrupted
        assert back.ok
        assert (host.up, is_shed(host), doings(back)) == ("a b c", "", {"b": "resumed"})
        assert host.service.state.activity == "watching"
        await shed(host, "a")
        assert is_shed(host) == "a"

    tell(story, [guest("a", save=SLOW), guest("b", save=Save(1.0)), guest("c")])


def test_who_follows_the_request_after_that_is_brought_back() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.service.asked.begin(shed_request("a"), ROOT)
        await asyncio.sleep(5)
        back = await resume(host)
        assert (host.up, is_shed(host), doings(back)) == ("a b c", "", {"a": "started"})

    tell(story, [guest("a", button=Button(40.0)), guest("b"), guest("c")], UNSAVED)


def test_who_does_not_is_up_for_good() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.service.asked.begin(shed_request("a"), ROOT)
        await asyncio.sleep(5)
        back = await resume(host)
        assert (host.up, is_shed(host), doings(back)) == ("a b c", "", {"a": "skipped"})
        host.happen("a powers itself off")
        await asyncio.sleep(300)
        assert host.record("a").wanted is Wanted.OFF

    tell(story, [guest("a", button=IGNORED_BUTTON), guest("b"), guest("c")], UNSAVED)


def test_mistakes_in_the_files_keep_nobody_down() -> None:
    """Nobody is there to mend them when the power is back."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.service.asked._problems = lambda: ("guestctl.toml:3: not a number",)
        await shed(host, "a")
        assert is_shed(host) == "a"
        assert (await resume(host)).ok
        assert host.up == "a b c"

    tell(story, ABC)


def test_resume_waits_for_no_other_run() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        down = replace(shed_request("a"), sheds=False)
        await host.service.asked.begin(down, ROOT)
        with pytest.raises(RequestError, match="another run has the lock"):
            await host.service.asked.begin(resume_request(), ROOT)

    tell(story, [guest("a", save=SLOW), guest("b"), guest("c")])


def test_who_cannot_be_brought_back_is_tried_again_by_itself() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        host.happen("a has no disk")
        await resume(host)
        await asyncio.sleep(100)
        host.happen("a has its disk again")
        await asyncio.sleep(30)
        assert (host.up, is_shed(host)) == ("a b c", "")

    tell(story, ABC)


def test_who_cannot_be_brought_back_is_tried_until_it_is_shed_again() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await shed(host, "a")
        host.happen("a has no disk")
        back = await resume(host)
        assert (back.ok, doings(back)) == (False, {"a": "failed"})
        assert host.record("a").waiting(host.life.context.boot)
        await shed(host, "a")
        host.happen("a has its disk again")
        await asyncio.sleep(300)
        assert (host.up, is_shed(host)) == ("b c", "a")
        await resume(host)
        assert host.up == "a b c"

    tell(story, ABC)
