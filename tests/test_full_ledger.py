"""What somebody asks for is refused where nobody would remember it: the ledger is on a disk that is
full, and the host stays up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.config.config import Config
from guestctl.control.requests import Down
from guestctl.model.history import Actor
from guestctl.model.plan import RunKind
from guestctl.model.record import Wanted
from guestctl.service.run_log import LoggedRun

from .served import guest, off
from .shedding import doings, ended
from .sim.service import ServedHost, tell

ROOT = Actor("root", "pts/0", "guestctl shutdown")
ABC = [guest("a"), guest("b"), guest("c")]
ONE_BY_ONE = Config(shutdown=replace(Config().shutdown, parallel=1))
#: Longer than [shutdown] settle.
SETTLED = 600.0
PRESERVE, SHUTDOWN = RunKind.PRESERVE, RunKind.SHUTDOWN
kinds = pytest.mark.parametrize("kind", [PRESERVE, SHUTDOWN])


async def asked(
    host: ServedHost, kind: RunKind, *names: str, without_ledger: bool = False
) -> LoggedRun:
    """The run, to its end."""
    begun = asyncio.get_running_loop().time()
    request = Down(kind, names, begun, without_ledger=without_ledger)
    return await ended(await host.service.asked.begin(request, ROOT))


@kinds
def test_nobody_is_taken_down_and_all_is_as_it_was(kind: RunKind) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.ledger_is_full = True
        run = await asked(host, kind)
        assert (run.ok, set(doings(run).values()), host.up) == (False, {"failed"}, "a b c")
        assert run.result is not None
        reasons = {one.reason for one in run.result.guests}
        assert all("make room where that is, or say --without-ledger" in one for one in reasons)
        assert host.touched == []
        host.sim.ledger_is_full = False
        await asyncio.sleep(SETTLED)
        assert host.wanted == "a b c"
        run = await asked(host, kind)
        assert (run.ok, host.up, host.wanted) == (True, "", "a b c" if kind is PRESERVE else "")

    tell(story, ABC)


@kinds
def test_whoever_insists_has_them_taken_down(kind: RunKind) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.ledger_is_full = True
        run = await asked(host, kind, "a", without_ledger=True)
        assert (run.ok, host.up) == (True, "b c")

    tell(story, ABC)


def test_a_disk_that_saves_fill_keeps_those_up_that_come_after() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        preserving = asyncio.create_task(asked(host, PRESERVE))
        await asyncio.sleep(1)
        host.sim.ledger_is_full = True
        run = await preserving
        assert (run.ok, host.up) == (False, "b c")
        assert doings(run) == {"a": "saved", "b": "failed", "c": "failed"}
        host.sim.ledger_is_full = False
        await asyncio.sleep(SETTLED)
        assert (host.wanted, host.record("a").taken_down) == ("a b c", True)

    tell(story, ABC, ONE_BY_ONE)


def test_who_is_wanted_off_already_goes_down_all_the_same() -> None:
    """It was written down before the disk was full."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        config = replace(Config().shutdown, parallel_shutdowns=1)
        host.reload(Config(shutdown=config))
        shutting = asyncio.create_task(asked(host, SHUTDOWN, "a", "b"))
        await asyncio.sleep(1)
        host.sim.ledger_is_full = True
        run = await shutting
        assert (run.ok, host.up) == (True, "c")
        host.sim.ledger_is_full = False
        await asyncio.sleep(SETTLED)
        assert host.wanted == "c"

    tell(story, ABC)


def test_the_hosts_stop_refuses_nobody() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.sim.ledger_is_full = True
        await asked(host, PRESERVE)
        assert host.up == "a b c"
        host.announce()
        await host.until_idle()
        assert host.up == ""

    tell(story, ABC)


def test_nor_does_what_somebody_asks_for_as_the_host_stops() -> None:
    """Without a service nobody else may take guests to safety."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        await host.terminate()
        host.sim.ledger_is_full = True
        host.stopping = True
        assert {one.outcome for one in (await host.preserve("a")).guests} == {"saved"}

    tell(story, ABC)


def test_who_is_off_already_is_wanted_off_where_it_can_be_written() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        assert (await asked(host, SHUTDOWN, "d")).ok
        assert host.record("d").wanted is Wanted.OFF

    tell(story, [*ABC, off("d")])
