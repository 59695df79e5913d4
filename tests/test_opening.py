"""How a run begins, in virtual time: what is durable when, and what a cut leaves."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import State
from guestctl.model.options import Scope
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.record import GuestRecord, Wanted, seen_up
from guestctl.model.result import RunResult, Trigger
from guestctl.runs.context import Context, read_all
from guestctl.runs.preserve import preserve
from guestctl.runs.restore import restore
from tests.sim import loop as virtual
from tests.sim.behaviour import Behaviour, GuestSpec, Save, Start
from tests.sim.events import happen
from tests.sim.guest import SimGuest
from tests.sim.life import Life
from tests.sim.service import ServedHost, tell
from tests.sim.world import InlineLedger, Process, SimHost

T = TypeVar("T")
SLOW_SAVE = Behaviour(save=Save(100.0))
NO_SAVES = Config(shutdown=Shutdown(save=Scope.NONE))


class SlowToAnswer:
    """A ledger whose thread writes at once, and whose disk syncs only seconds later."""

    def __init__(self, ledger: InlineLedger, seconds: float) -> None:
        self._ledger = ledger
        self._seconds = seconds

    async def __call__(self, work: Callable[[Ledger], T], default: T) -> T:
        answer = self._ledger._carry_out(work)
        await asyncio.sleep(self._seconds)
        return answer


def on_host(specs: list[GuestSpec], story: Callable[[SimHost], Coroutine[Any, Any, T]]) -> T:
    async def main() -> T:
        with SimHost(specs) as host:
            return await story(host)

    return virtual.run(main(), virtual.DAY)


def is_seen_up(host: SimHost, guest: SimGuest) -> bool:
    """Whether nothing is known of the guest but that it is up."""
    record = host.ledger.guest(guest.id)
    assert record is not None
    blank = GuestRecord(guest.id, guest.name, flag=False)
    return record == seen_up(blank, host.boot_id, record.up_since)


async def run(
    process: Process, kind: RunKind, config: Config | None = None, context: Context | None = None
) -> RunResult:
    """A run of all guests, as a command's or the service's."""
    inventory = await read_all(process.context.hypervisors)
    trigger = Trigger.COMMAND
    return await preserve(context or process.context, config or Config(), kind, trigger, inventory)


@pytest.mark.parametrize("kind", [RunKind.PRESERVE, RunKind.SHUTDOWN])
def test_cancelled_while_its_intents_are_written_a_run_takes_them_back(kind: RunKind) -> None:
    """No guest was asked for anything, and nobody would conclude what became of it."""

    async def story(host: SimHost) -> None:
        first = host.process()
        inventory = await read_all(first.context.hypervisors)
        await restore(first.context, Config(), Trigger.BOOT, inventory)  # they are known
        before = host.ledger.guests()
        process = host.process()
        context = replace(process.context, ledger=SlowToAnswer(process.ledger, 3.0))
        task = asyncio.create_task(run(process, kind, context=context))
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert host.ledger.guests() == before
        (newest,) = host.ledger.runs.newest(1)
        assert newest.ended is not None
        assert {g.outcome for g in host.ledger.runs.guests(newest.id)} == {"skipped"}
        assert all(guest.facts.state is State.RUNNING for guest in host.guests())

    on_host([GuestSpec("a"), GuestSpec("b")], story)


def test_cancelled_while_guests_are_looked_at_a_run_ends_at_once() -> None:
    """Nothing is written yet: an operator's run is given 20 s to end as the host goes down."""

    async def story(host: SimHost) -> None:
        process = host.process()
        (connection,) = process.connections.values()

        async def hang(_: Any) -> Any:
            await asyncio.sleep(1000)

        connection.domain_info = hang  # type: ignore[method-assign,assignment]  # libvirtd does
        task = asyncio.create_task(run(process, RunKind.PRESERVE))
        await asyncio.sleep(5)
        task.cancel()
        await asyncio.wait([task], timeout=1)
        assert task.cancelled()
        assert host.ledger.runs.newest() == []

    on_host([GuestSpec("a")], story)


@pytest.mark.parametrize("kind", [RunKind.PRESERVE, RunKind.SHUTDOWN])
def test_cancelled_while_a_newcomers_intent_is_written_a_run_takes_it_back(kind: RunKind) -> None:
    specs = [
        GuestSpec("a", behaviour=SLOW_SAVE),
        GuestSpec("b", state=State.SHUT_OFF, behaviour=Behaviour(start=Start(0.0))),
    ]

    async def story(host: SimHost) -> None:
        process = host.process()
        (b,) = (guest for guest in host.guests() if guest.name == "b")
        context = replace(process.context, ledger=SlowToAnswer(process.ledger, 3.0))
        task = asyncio.create_task(run(process, kind, context=context))
        await asyncio.sleep(6.5)
        happen(host, "b is started")
        await asyncio.sleep(2)
        task.cancel()
        result = await task
        assert is_seen_up(host, b)
        ended = {guest.name: guest.outcome for guest in host.ledger.runs.guests(result.run or 0)}
        assert ended["b"] == "skipped"
        assert b.facts.state is State.RUNNING

    on_host(specs, story)


@pytest.mark.parametrize("column", ["wanted", "stopped_by", "how", "certainty"])
def test_a_word_that_makes_no_sense_costs_nobody_else_what_is_wanted_of_it(column: str) -> None:
    """A flipped bit in what is known of a; a run begins with one transaction for all."""

    async def story(host: SimHost) -> None:
        process = host.process()
        inventory = await read_all(process.context.hypervisors)
        await restore(process.context, Config(), Trigger.BOOT, inventory)  # they are known
        host.ledger.db.execute(f"UPDATE guest SET {column} = 'om' WHERE name = 'a'")
        named = frozenset(guest.id for guest in inventory.guests if guest.name == "b")
        kind, trigger = RunKind.SHUTDOWN, Trigger.COMMAND
        result = await preserve(process.context, Config(), kind, trigger, inventory, named)
        assert result.ok
        assert {r.name: r.wanted for r in host.ledger.guests().values()}["b"] is Wanted.OFF

    on_host([GuestSpec("a"), GuestSpec("b")], story)


@pytest.mark.parametrize("kind", [RunKind.PRESERVE, RunKind.SHUTDOWN])
@pytest.mark.parametrize("fails", range(1, 5))
def test_what_is_wanted_is_written_with_the_end_where_the_intent_could_not_be(
    kind: RunKind, fails: int
) -> None:
    """Another process has the ledger locked for too long, and then no more."""
    specs = [
        GuestSpec("a", behaviour=SLOW_SAVE),
        GuestSpec("b", state=State.SHUT_OFF, behaviour=Behaviour(start=Start(0.0))),
    ]

    async def story(host: SimHost) -> None:
        process = host.process()
        works = iter(range(1, 100))

        def fault() -> None:
            if next(works) == fails:
                raise sqlite3.OperationalError("database is locked")

        process.ledger.fault = fault
        task = asyncio.create_task(run(process, kind))
        await asyncio.sleep(1)
        happen(host, "b is started")
        await task
        wanted = Wanted.ON if kind is RunKind.PRESERVE else Wanted.OFF
        assert {r.name: r.wanted for r in host.ledger.guests().values()} == {
            "a": wanted,
            "b": wanted,
        }
        host.reboot()
        after = host.process()
        inventory = await read_all(after.context.hypervisors)
        result = await restore(after.context, Config(), Trigger.BOOT, inventory)
        back = {guest.name: guest.outcome for guest in result.guests}
        comes_back = dict.fromkeys("ab", Outcome.RESUMED)
        assert back == (comes_back if kind is RunKind.PRESERVE else {})

    on_host(specs, story)


def test_cancelled_before_a_guest_is_asked_its_own_shutdown_is_its_users() -> None:
    async def story(host: SimHost) -> None:
        process = host.process()
        context = replace(process.context, ledger=SlowToAnswer(process.ledger, 3.0))
        task = asyncio.create_task(run(process, RunKind.PRESERVE, NO_SAVES, context))
        await asyncio.sleep(4.5)  # the step is being written down
        task.cancel()
        assert (await task).interrupted
        (record,) = host.ledger.guests().values()
        assert (record.wanted, record.taken_down) == (Wanted.ON, False)

    on_host([GuestSpec("a")], story)


@pytest.mark.parametrize("late", [4.0, 5.0, 6.0, 7.0, 8.0])
def test_a_guest_that_starts_twice_in_mid_run_is_taken_down_once(late: float) -> None:
    """The second event must not write intents when the guest is saved already."""
    quick = Behaviour(start=Start(0.0), save=Save(2.0))
    specs = [
        GuestSpec("a", behaviour=SLOW_SAVE),
        GuestSpec("b", state=State.SHUT_OFF, behaviour=quick),
    ]

    async def story(host: SimHost) -> None:
        process = host.process()
        process.ledger.delay = 1.0
        (connection,) = process.connections.values()
        real, waits = connection.domain_info, iter([0.0, 3.0, late])

        async def slow(uuids: Any) -> Any:
            await asyncio.sleep(next(waits, 0.0))
            return await real(uuids)

        connection.domain_info = slow  # type: ignore[method-assign]  # libvirtd answers late
        task = asyncio.create_task(run(process, RunKind.PRESERVE))
        await asyncio.sleep(5)
        for deed in ("b is started", "b is destroyed", "b is started"):
            happen(host, deed)
            await asyncio.sleep(0.5)
        assert (await task).ok
        host.reboot()
        after = host.process()
        inventory = await read_all(after.context.hypervisors)
        result = await restore(after.context, Config(), Trigger.BOOT, inventory)
        assert {g.name: g.outcome for g in result.guests} == dict.fromkeys("ab", Outcome.RESUMED)

    on_host(specs, story)


def test_cancelled_before_its_task_has_begun_a_newcomer_is_concluded() -> None:
    """asyncio never runs a task that is cancelled at once; its guest's intent is written."""
    specs = [
        GuestSpec("a", behaviour=SLOW_SAVE),
        GuestSpec("b", state=State.SHUT_OFF, behaviour=Behaviour(start=Start(0.0))),
    ]

    async def story(host: SimHost, turns: int) -> None:
        process = host.process()
        loop, b = asyncio.get_running_loop(), next(g for g in host.guests() if g.name == "b")

        def cancel_after(turns: int) -> None:
            if turns:
                loop.call_soon(cancel_after, turns - 1)
            else:
                task.cancel()

        async def cancelled(work: Callable[[Ledger], T], default: T) -> T:
            answer = process.ledger._carry_out(work)
            if b.id in host.ledger.runs.in_hand(host.boot_id):
                loop.call_soon(cancel_after, turns)
            return answer

        task = asyncio.create_task(
            run(process, RunKind.PRESERVE, context=replace(process.context, ledger=cancelled))
        )
        await asyncio.sleep(5)
        happen(host, "b is started")
        result = await task
        assert result.interrupted
        assert is_seen_up(host, b)
        assert "cut off" not in {g.outcome for g in host.ledger.runs.guests(result.run or 0)}

    for turns in range(5):
        on_host(specs, partial(story, turns=turns))


def test_a_guest_started_once_too_often_is_not_in_hand() -> None:
    specs = [GuestSpec("a", behaviour=SLOW_SAVE), GuestSpec("b", behaviour=Behaviour(save=Save(2)))]

    async def story(host: SimHost) -> None:
        task = asyncio.create_task(run(host.process(), RunKind.PRESERVE))
        for _ in range(3):
            await asyncio.sleep(10)
            happen(host, "b is started")
        await asyncio.sleep(10)
        (b,) = (guest for guest in host.guests() if guest.name == "b")
        assert b.id not in host.ledger.runs.in_hand(host.boot_id)
        result = await task
        outcomes = {g.name: g.outcome for g in result.guests}
        assert outcomes == {"a": Outcome.SAVED, "b": Outcome.FAILED}

    on_host(specs, story)


def test_a_guest_that_a_run_saved_before_the_watch_had_seen_it_up_comes_back() -> None:
    """The watch hears of its start and its stop only after the run: that was our doing."""

    async def story(host: ServedHost) -> None:
        life = await host.serve(400)
        (connection,) = life.process.connections.values()
        real, a = connection.observe, host.guest("a").id.uuid

        async def observe(uuid: str) -> Any:
            if uuid == a:
                await asyncio.sleep(29)  # its QEMU hangs, and the watch waits for it
            return await real(uuid)

        connection.observe = observe  # type: ignore[method-assign]  # of this connection only
        host.happen("a is paused")
        await asyncio.sleep(1)
        host.happen("b is started")
        await asyncio.sleep(3)
        other = Life(host)
        inventory = await read_all(other.context.hypervisors)
        with host.operator():
            kind, trigger = RunKind.PRESERVE, Trigger.COMMAND
            await preserve(other.context, host.config, kind, trigger, inventory)
        await asyncio.sleep(60)
        assert host.record("b").wanted is Wanted.ON
        for connection in other.process.connections.values():
            await connection.close()

    specs = [
        GuestSpec("a", behaviour=Behaviour(save=Save(8))),
        GuestSpec("b", state=State.SHUT_OFF),
    ]
    tell(story, specs)
