"""The simulation itself, and what of the engine is easier told in code than in a scenario."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import replace
from math import inf
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.event import EventKind, GuestEvent, JobKind
from guestctl.model.guest import GuestId, State
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.ports import ErrorKind, HypervisorError, within
from guestctl.model.record import Wanted
from guestctl.model.report import GuestEnded, RunEvent
from guestctl.model.result import RunResult, Trigger
from guestctl.runs.context import read_all
from guestctl.runs.preserve import preserve
from guestctl.runs.restore import restore

from .sim import loop as virtual
from .sim.behaviour import Abort, Agent, Behaviour, Button, GuestSpec, OtherJob, Save, Start
from .sim.hypervisor import SimHypervisor
from .sim.world import Process, Recorder, SimHost

T = TypeVar("T")


# -- the engine ----------------------------------------------------------------------------------

_BRISK = Config(shutdown=Shutdown(shutdown_timeout=20.0, save_timeout=60.0, job_timeout=10.0))


async def _preserve(process: Process, config: Config = _BRISK) -> RunResult:
    inventory = await read_all(process.connections)
    return await preserve(process.context, config, RunKind.PRESERVE, Trigger.COMMAND, inventory)


async def _restore(process: Process) -> RunResult:
    inventory = await read_all(process.connections)
    return await restore(process.context, Config(), Trigger.BOOT, inventory)


def _on_host(specs: list[GuestSpec], story: Callable[[SimHost], Coroutine[Any, Any, T]]) -> T:
    async def main() -> T:
        with SimHost(specs) as host:
            return await story(host)

    return virtual.run(main())


def _outcomes(result: RunResult) -> dict[str, Outcome]:
    return {guest.name: guest.outcome for guest in result.guests}


def test_a_cancellation_is_never_swallowed() -> None:
    """Of wait_for in Python 3.11: cancelled just when its future gets done, it goes on."""

    async def main() -> bool:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(within(10, answer))
        await asyncio.sleep(1)
        answer.set_result(1)
        waiting.cancel()
        await asyncio.wait({waiting})
        return waiting.cancelled()

    assert virtual.run(main())


@pytest.mark.parametrize("working", [0, 1, 2, 3, 5])
def test_a_ledger_that_fails_stops_no_shutdown(working: int) -> None:
    """The disk is full from the n-th write on."""

    async def story(host: SimHost) -> RunResult:
        process = host.process()
        left = working

        def fail() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise sqlite3.OperationalError("database or disk is full")

        process.ledger.fault = fail
        return await _preserve(process)

    result = _on_host([GuestSpec("web"), GuestSpec("db")], story)
    assert _outcomes(result) == {"web": Outcome.SAVED, "db": Outcome.SAVED}


def test_a_run_without_a_number_still_writes_what_it_can() -> None:
    """Only the run's own record could not be made; the guest migrates away."""

    async def story(host: SimHost) -> Wanted | None:
        process = host.process()
        faults = [None, sqlite3.OperationalError("database is locked")]

        def fail() -> None:
            if faults and (fault := faults.pop(0)):
                raise fault

        process.ledger.fault = fail
        await _preserve(process)
        guest = host.daemon().named("web")
        return host.ledger.guests()[guest.id].wanted

    moving = GuestSpec("web", job=OtherJob(JobKind.MIGRATION, ends=5.0))
    assert _on_host([moving], story) is Wanted.OFF


def test_a_slow_disk_only_delays() -> None:
    async def story(host: SimHost) -> RunResult:
        process = host.process()
        process.ledger.delay = 3.0
        return await _preserve(process)

    assert _on_host([GuestSpec("web")], story).ok


class _Restarter(Recorder):
    """Has an event of a start arrive in each of the loop's next iterations after a guest's end."""

    def __init__(self, process: Process, event: GuestEvent) -> None:
        super().__init__()
        self._connection = process.connections["qemu:///system"]
        self._event = event

    def __call__(self, event: RunEvent) -> None:
        super().__call__(event)
        if isinstance(event, GuestEnded):
            self._emit(20)

    def _emit(self, times: int) -> None:
        self._connection.hear(self._event)
        if times:
            asyncio.get_running_loop().call_soon(self._emit, times - 1)


@pytest.mark.parametrize("interrupted", [False, True])
def test_an_event_at_the_very_end_does_no_harm(interrupted: bool) -> None:
    async def story(host: SimHost) -> RunResult:
        process = host.process()
        other = host.daemon().named("other")
        event = GuestEvent(other.id, other.name, EventKind.STARTED, "booted")
        report = _Restarter(process, event)
        object.__setattr__(process.context, "tell", report)
        task = asyncio.create_task(_preserve(process))
        if interrupted:
            asyncio.get_running_loop().call_later(1, task.cancel)
        return await task

    specs = [GuestSpec("web"), GuestSpec("other", state=State.SHUT_OFF)]
    assert _on_host(specs, story).interrupted is interrupted


def test_two_signals_end_a_run_no_worse_than_one() -> None:
    async def story(host: SimHost) -> RunResult | None:
        process = host.process()
        task = asyncio.create_task(_preserve(process))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    result = _on_host([GuestSpec("web", behaviour=Behaviour(save=Save(after=50)))], story)
    assert result is None or result.interrupted


def test_a_daemon_wedged_on_one_guest_is_lost_and_not_empty() -> None:
    async def story(host: SimHost) -> RunResult:
        return await _preserve(host.process())

    result = _on_host([GuestSpec("bad", behaviour=Behaviour(wedged=True))], story)
    assert list(result.lost) == ["qemu:///system"]
    assert not result.ok


def test_a_resumed_guest_gets_the_hosts_time() -> None:
    async def story(host: SimHost) -> tuple[float | None, float]:
        await _preserve(host.process())
        await asyncio.sleep(3600)
        result = await _restore(host.process())
        assert _outcomes(result) == {"web": Outcome.RESUMED}
        return host.daemon().named("web").clock, host.now().at / 1e9

    clock, now = _on_host([GuestSpec("web", behaviour=Behaviour(agent=Agent.WORKS))], story)
    assert clock == pytest.approx(now, abs=2)


def test_calls_fail_as_libvirts_do() -> None:
    async def story(host: SimHost) -> list[ErrorKind]:
        connection = SimHypervisor(host.daemon())
        off, on = (host.daemon().named(name).uuid for name in ("off", "on"))
        calls = [
            connection.start(on),
            connection.unpause(on),
            connection.abort_job(on),
            connection.poweroff(off),
            connection.save(off, bypass_cache=False),
            connection.start("00000000-0000-0000-0000-000000000000"),
        ]
        return [await _kind(call) for call in calls]

    specs = [GuestSpec("on"), GuestSpec("off", state=State.SHUT_OFF)]
    assert _on_host(specs, story) == [ErrorKind.WRONG_STATE] * 5 + [ErrorKind.NO_GUEST]


async def _kind(call: Coroutine[Any, Any, object]) -> ErrorKind:
    with pytest.raises(HypervisorError) as caught:
        await call
    return caught.value.kind


# -- any guests, any troubles --------------------------------------------------------------------

_seconds = st.sampled_from([0.5, 3.0, 12.0, 45.0, 100.0, inf])
_jobs = st.builds(
    OtherJob,
    st.sampled_from([JobKind.BACKUP, JobKind.SNAPSHOT, JobKind.SAVE, JobKind.MIGRATION]),
    _seconds,
    st.sampled_from(Abort),
)
_behaviours = st.builds(
    Behaviour,
    button=st.builds(Button, _seconds, st.integers(1, 3)),
    boots=st.sampled_from([0.0, 8.0]),
    agent=st.sampled_from(Agent),
    save=st.builds(Save, _seconds, st.sampled_from(["", "No space left"]), st.sampled_from(Abort)),
    start=st.builds(Start, st.sampled_from([0.5, 20.0]), st.integers(0, 2)),
    kill=st.sampled_from([0.5, 12.0, inf]),
    unkillable=st.sampled_from([False, False, True]),
    wakes=st.booleans(),
    loses_events=st.booleans(),
    frozen=st.sampled_from([False, False, True]),
)
_up = [State.RUNNING, State.PAUSED, State.PMSUSPENDED, State.CRASHED]
_specs = st.lists(
    st.builds(
        GuestSpec,
        name=st.sampled_from("abcde"),
        state=st.sampled_from(_up),
        persistent=st.sampled_from([True, True, False]),
        behaviour=_behaviours,
        job=st.none() | _jobs,
        booted=st.sampled_from([2.0, inf]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda spec: spec.name,
)
#: After how many seconds of a run the connection breaks, and for how long.
_outages = st.tuples(st.sampled_from([inf, 1.0, 11.0, 30.0]), st.sampled_from([2.0, 50.0]))


#: What a run may take beyond its deadline: a last poweroff, and waiting for a connection.
_POWEROFF_SLACK, _RECONNECT_SLACK = 16.0, 60.0


@given(_specs, _outages, st.sampled_from([40.0, 300.0]))
def test_whatever_the_guests_do_results_are_true_and_debts_are_kept(
    specs: list[GuestSpec], outage: tuple[float, float], deadline: float
) -> None:
    async def story(host: SimHost) -> None:
        after, seconds = outage
        daemon, loop = host.daemon(), asyncio.get_running_loop()
        breaking = loop.call_later(min(after, virtual.DAY), daemon.lose_connections, seconds)
        wanted = {guest.id for guest in daemon.guests.values() if guest.persistent}
        config = replace(_BRISK, shutdown=replace(_BRISK.shutdown, deadline=deadline))
        result = await _preserve(host.process(), config)
        slack = _POWEROFF_SLACK + (0.0 if after == inf else _RECONNECT_SLACK)
        assert loop.time() <= deadline + slack
        breaking.cancel()
        _check_results(host, result, [spec.name for spec in specs])
        await _check_the_boot(host, wanted, result)

    _on_host(specs, story)


def _check_results(host: SimHost, result: RunResult, names: list[str]) -> None:
    assert sorted(_outcomes(result)) == sorted(names)
    for guest in result.guests:
        facts = host.daemon().guests.get(guest.guest.uuid)
        if guest.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            continue
        assert facts is None or not facts.up, guest
        assert (guest.outcome is Outcome.SAVED) == bool(facts and facts.facts.saved), guest


async def _check_the_boot(host: SimHost, wanted: set[GuestId], result: RunResult) -> None:
    """What the host took down is back after its reboot; what moved away is not."""
    host.reboot()
    await _restore(host.process())
    gone = {guest.guest for guest in result.guests if guest.outcome is Outcome.GONE}
    for guest in host.daemon().guests.values():
        assert guest.up == (guest.id in wanted and guest.id not in gone), guest.name
