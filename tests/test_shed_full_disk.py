"""Nobody is shed whom nobody would know to bring back: the ledger is on a disk that is full."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from guestctl.config.config import Config
from guestctl.model.record import Wanted

from .served import guest
from .shedding import doings, is_shed, resume, shed
from .sim.service import ServedHost, tell

ABC = [guest("a"), guest("b"), guest("c")]
ONE_BY_ONE = Config(shutdown=replace(Config().shutdown, parallel=1))


def test_none_is_shed_then() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.ledger_is_full = True
        run = await shed(host, "a")
        assert (run.ok, doings(run), host.up) == (False, {"a": "failed"}, "a b c")
        host.sim.ledger_is_full = False
        await asyncio.sleep(600)
        run = await shed(host, "a")
        assert (run.ok, is_shed(host), host.record("a").wanted) == (True, "a", Wanted.ON)

    tell(story, ABC)


def test_a_disk_that_saves_fill_keeps_those_up_that_come_after() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        shedding = asyncio.create_task(shed(host, "a", "b"))
        await asyncio.sleep(1)
        host.sim.ledger_is_full = True
        run = await shedding
        assert (run.ok, doings(run), host.up) == (False, {"a": "saved", "b": "failed"}, "b c")
        host.sim.ledger_is_full = False
        await asyncio.sleep(600)
        assert doings(await resume(host)) == {"a": "resumed"}
        assert (host.up, is_shed(host), host.record("b").wanted) == ("a b c", "", Wanted.ON)

    tell(story, ABC, ONE_BY_ONE)
