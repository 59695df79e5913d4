"""What every Hypervisor has to do alike: the simulation, libvirt's test driver, real QEMU.

The scenarios are worth what the simulation is worth; this suite keeps it honest.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from guestctl.model.event import EventKind, GuestEvent, JobKind
from guestctl.model.guest import State
from guestctl.model.options import Method
from guestctl.model.ports import ErrorKind
from tests.sim.behaviour import Save
from tests.testbed.session import SessionDaemon

from .benches import (
    LIMIT,
    NAME,
    PASSING,
    POLL,
    Bench,
    QemuBench,
    SimulatedBench,
    TestDriverBench,
    Trial,
    refusal,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"
_RUNNING = "of a guest that runs"
_OFF = "of a guest that is off"

#: Where an implementation differs: what it does instead, and why that is no harm.
DIFFERENCES: dict[tuple[str, str], tuple[object, str]] = {
    ("test driver", "event of a start from a save"): (
        "booted",
        "it keeps no memory, so it boots where it should restore",
    ),
    ("test driver", "state of a restored paused guest"): (
        State.RUNNING,
        "it keeps no memory, so it boots where it should restore",
    ),
    ("test driver", f"start {_RUNNING}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"unpause {_RUNNING}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"request_shutdown {_OFF}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"unpause {_OFF}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"wake {_RUNNING}"): (ErrorKind.UNSUPPORTED, "its guests never sleep"),
    ("test driver", f"abort_job {_RUNNING}"): (ErrorKind.UNSUPPORTED, "it knows no jobs"),
    ("test driver", f"job {_RUNNING}"): (ErrorKind.UNSUPPORTED, "it knows no jobs"),
    ("test driver", f"job {_OFF}"): (ErrorKind.UNSUPPORTED, "it knows no jobs"),
    ("test driver", "set_time without an agent"): (None, "it only notes the time"),
    ("test driver", "discard_save without a save"): (None, "it minds nothing that is not there"),
    ("test driver", "events of QEMU"): (False, "it has none"),
    ("test driver", "event SHUTDOWN"): (False, "it stops guests without a word before"),
}


def expected(trial: Trial, what: str, usual: object) -> object:
    """The usual outcome, or that of the table above."""
    return DIFFERENCES.get((trial.bench.name, what), (usual, ""))[0]


@pytest.fixture(scope="module")
def simulated() -> Bench:
    """The simulation."""
    return SimulatedBench()


@pytest.fixture(scope="module")
def test_driver() -> Iterator[Bench]:
    """libvirt's test driver, in this process."""
    bench = TestDriverBench()
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def qemu(daemon: SessionDaemon) -> Iterator[Bench]:
    """One real guest for all tests: booting is what takes time."""
    yield QemuBench(daemon)
    daemon.virsh("undefine", "--managed-save", daemon.id_of(NAME))


@pytest.fixture(params=["simulated", "test_driver", pytest.param("qemu", marks=pytest.mark.guests)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each implementation in turn."""
    chosen: Bench = request.getfixturevalue(request.param)
    return chosen


# -- reading -------------------------------------------------------------------------------------


def test_guests_lists_every_guest(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        listed = {guest.id.uuid: guest for guest in await trial.hypervisor.guests()}
        guest = listed[trial.guest]
        assert guest == await trial.facts()
        assert guest.name == NAME
        assert guest.id.uri == trial.hypervisor.uri
        assert guest.state is State.RUNNING
        assert guest.up
        assert guest.persistent
        assert not guest.saved
        assert guest.memory >= 64 * 1024 * 1024

    bench.run(story)


def test_an_unknown_guest_is_none_and_can_do_nothing(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        assert await trial.hypervisor.observe(UNKNOWN) is None
        assert await refusal(trial.hypervisor.start(UNKNOWN)) is ErrorKind.NO_GUEST
        assert await refusal(trial.hypervisor.job(UNKNOWN)) is ErrorKind.NO_GUEST

    bench.run(story)


def test_the_autostart_flag_is_reported(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        assert not (await trial.facts()).autostart
        bench.set_autostart(trial.guest, True)
        assert (await trial.facts()).autostart
        bench.set_autostart(trial.guest, False)
        assert not (await trial.facts()).autostart

    bench.run(story)


def test_the_nature_of_a_guest_is_the_same_from_boot_to_boot(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        off = (await trial.hypervisor.domain_info([trial.guest]))[trial.guest]
        await trial.on()
        on = (await trial.hypervisor.domain_info([trial.guest]))[trial.guest]
        assert off.digest
        assert on.digest == off.digest
        assert (on.unsavable, on.manager) == ((), None)
        assert on.disks is not None

    bench.run(story)


def test_guests_that_are_no_more_have_no_nature(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        assert await trial.hypervisor.domain_info([]) == {}
        assert set(await trial.hypervisor.domain_info([UNKNOWN, trial.guest])) == {trial.guest}

    bench.run(story)


def test_a_transient_guest_has_a_nature_while_it_runs(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        bench.make_transient()
        uuid = bench.uuid(PASSING)
        assert set(await trial.hypervisor.domain_info([uuid])) == {uuid}
        await trial.hypervisor.poweroff(uuid)
        assert await trial.hypervisor.domain_info([uuid]) == {}

    bench.run(story)


def test_a_guest_that_is_idle_has_no_job(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        kind = expected(trial, f"job {_RUNNING}", None)
        assert await refusal(trial.hypervisor.job(trial.guest)) is kind
        if kind is None:
            assert await trial.hypervisor.job(trial.guest) is None

    bench.run(story)


def test_what_a_running_guest_refuses(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        calls = {
            "start": ErrorKind.WRONG_STATE,
            "unpause": ErrorKind.WRONG_STATE,
            "abort_job": ErrorKind.WRONG_STATE,
            "wake": ErrorKind.FAILED,  # QEMU's own refusal, which libvirt hands on
        }
        for call, usual in calls.items():
            kind = await refusal(getattr(trial.hypervisor, call)(trial.guest))
            assert (call, kind) == (call, expected(trial, f"{call} {_RUNNING}", usual))

    bench.run(story)


def test_without_an_agent_nothing_is_asked_of_it(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        hypervisor, guest = trial.hypervisor, trial.guest
        asked = await refusal(hypervisor.request_shutdown(guest, Method.AGENT))
        assert asked is ErrorKind.UNSUPPORTED
        told = await refusal(hypervisor.set_time(guest, 1_800_000_000.5))
        assert told is expected(trial, "set_time without an agent", ErrorKind.UNSUPPORTED)
        assert (await trial.facts()).state is State.RUNNING

    bench.run(story)


def test_unpause_lets_it_run(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        bench.pause(trial.guest)
        await trial.heard(EventKind.SUSPENDED)
        await trial.hypervisor.unpause(trial.guest)
        facts = await trial.facts()
        assert (facts.state, facts.reason) == (State.RUNNING, "unpaused")
        await trial.heard(EventKind.RESUMED)

    bench.run(story)


def test_poweroff_pulls_the_plug(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        await trial.hypervisor.poweroff(trial.guest)
        facts = await trial.facts()
        assert (facts.state, facts.reason) == (State.SHUT_OFF, "destroyed")
        assert (await trial.heard(EventKind.STOPPED)).detail == "destroyed"

    bench.run(story)


def test_what_a_guest_that_is_off_refuses(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        hypervisor, guest = trial.hypervisor, trial.guest
        calls = {
            "poweroff": hypervisor.poweroff(guest),
            "unpause": hypervisor.unpause(guest),
            "request_shutdown": hypervisor.request_shutdown(guest, Method.ACPI),
            "save": hypervisor.save(guest, bypass_cache=False),
            "job": hypervisor.job(guest),
        }
        for name, call in calls.items():
            usual = expected(trial, f"{name} {_OFF}", ErrorKind.WRONG_STATE)
            assert (name, await refusal(call)) == (name, usual)

    bench.run(story)


def test_a_renamed_guest_is_the_same_guest(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        bench.rename(trial.guest, "renamed")
        assert (await trial.facts()).name == "renamed"
        bench.rename(trial.guest, NAME)
        assert (await trial.facts()).name == NAME

    bench.run(story)


# -- up and down ---------------------------------------------------------------------------------


def test_start_brings_it_up(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        await trial.hypervisor.start(trial.guest)
        facts = await trial.facts()
        assert (facts.state, facts.reason) == (State.RUNNING, "booted")
        event = await trial.heard(EventKind.STARTED)
        assert (event.name, event.detail) == (NAME, "booted")
        assert event.guest == facts.id

    bench.run(story)


def test_shutdown_is_asked_for_and_takes_its_time(bench: Bench) -> None:
    """A guest that still boots misses requests: they are repeated, as guestctl does."""

    async def story(trial: Trial) -> None:
        await trial.on()
        while (await trial.facts()).up:
            await refusal(trial.hypervisor.request_shutdown(trial.guest, Method.ACPI))
            await asyncio.sleep(0.3)
        facts = await trial.until(lambda facts: not facts.up)
        assert (facts.state, facts.reason) == (State.SHUT_OFF, "shutdown")
        assert (await trial.heard(EventKind.STOPPED)).detail == "shutdown"
        told = any(event.kind is EventKind.SHUTDOWN for event in trial.events)
        assert told is expected(trial, "event SHUTDOWN", True)

    bench.run(story)


def of_stops(events: list[GuestEvent]) -> list[str]:
    """What is told of a stop, in its order: QEMU's events with who brought them about."""
    return [
        f"{event.detail} by {'guest' if event.by_guest else 'host'}"
        if event.kind is EventKind.MONITOR
        else f"{event.kind} {event.detail}"
        for event in events
        if event.kind in (EventKind.MONITOR, EventKind.STOPPED)
    ]


def without_repeats(words: list[str]) -> list[str]:
    """Requests that were repeated count once."""
    return [word for word, before in zip(words, ["", *words], strict=False) if word != before]


def test_who_shut_it_down_can_be_told(bench: Bench) -> None:
    """A request comes before what the guest does, and that before libvirt ends the process."""

    async def story(trial: Trial) -> None:
        await trial.on()
        while (await trial.facts()).up:
            await refusal(trial.hypervisor.request_shutdown(trial.guest, Method.ACPI))
            await asyncio.sleep(0.3)
        await trial.heard(EventKind.STOPPED)
        told = ["POWERDOWN by host", "SHUTDOWN by guest", "SHUTDOWN by host", "stopped shutdown"]
        assert trial.hypervisor.monitored is expected(trial, "events of QEMU", True)
        if trial.hypervisor.monitored:
            assert without_repeats(of_stops(trial.events)) == told
            now = asyncio.get_running_loop().time()
            assert now - LIMIT < trial.events[0].at <= trial.events[-1].at <= now
        else:
            assert of_stops(trial.events) == told[-1:]

    bench.run(story)


def test_who_pulled_its_plug_can_be_told(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        await trial.hypervisor.poweroff(trial.guest)
        await trial.heard(EventKind.STOPPED)
        told = ["SHUTDOWN by host", "stopped destroyed"]
        assert of_stops(trial.events) == (told if trial.hypervisor.monitored else told[-1:])

    bench.run(story)


def test_a_reset_is_no_stop(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        if not trial.hypervisor.monitored:
            return  # libvirt's test driver knows no reset
        bench.reset(trial.guest)
        event = await trial.heard(EventKind.MONITOR)
        assert event.detail == "RESET"
        assert (await trial.facts()).state is State.RUNNING
        assert "stopped" not in " ".join(of_stops(trial.events))

    bench.run(story)


def test_a_save_takes_it_down_and_a_start_uses_it_up(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        await trial.hypervisor.save(trial.guest, bypass_cache=False)
        facts = await trial.facts()
        assert (facts.state, facts.reason, facts.saved) == (State.SHUT_OFF, "saved", True)
        assert (await trial.heard(EventKind.STOPPED)).detail == "saved"
        await trial.hypervisor.start(trial.guest)
        facts = await trial.facts()
        word = expected(trial, "event of a start from a save", "restored")
        assert (facts.state, facts.reason, facts.saved) == (State.RUNNING, word, False)
        assert (await trial.heard(EventKind.STARTED)).detail == word

    bench.run(story)


def test_without_its_save_a_guest_boots_anew(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        await trial.hypervisor.save(trial.guest, bypass_cache=False)
        await trial.hypervisor.discard_save(trial.guest)
        facts = await trial.facts()
        assert (facts.state, facts.saved) == (State.SHUT_OFF, False)
        trial.events.clear()
        await trial.hypervisor.start(trial.guest)
        assert (await trial.facts()).reason == "booted"
        assert (await trial.heard(EventKind.STARTED)).detail == "booted"

    bench.run(story)


def test_a_save_that_is_not_there_cannot_be_discarded(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        usual = expected(trial, "discard_save without a save", ErrorKind.SYSTEM)
        await trial.on()
        assert await refusal(trial.hypervisor.discard_save(trial.guest)) is usual
        await trial.off()
        assert await refusal(trial.hypervisor.discard_save(trial.guest)) is usual
        assert await refusal(trial.hypervisor.discard_save(UNKNOWN)) is ErrorKind.NO_GUEST

    bench.run(story)


def test_a_paused_guest_is_saved_and_restored_paused(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        bench.pause(trial.guest)
        facts = await trial.facts()
        assert (facts.state, facts.reason, facts.up) == (State.PAUSED, "user", True)
        await trial.hypervisor.save(trial.guest, bypass_cache=False)
        assert (await trial.facts()).saved
        await trial.hypervisor.start(trial.guest)
        state = expected(trial, "state of a restored paused guest", State.PAUSED)
        assert (await trial.facts()).state is state

    bench.run(story)


def test_events_come_on_the_loop(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        threads = []

        def note(event: GuestEvent) -> None:
            threads.append(threading.get_ident())
            assert asyncio.get_running_loop()

        trial.hypervisor.listen(note)
        bench.pause(trial.guest)
        await trial.heard(EventKind.SUSPENDED)
        assert set(threads) == {threading.get_ident()}

    bench.run(story)


# -- guests come and go --------------------------------------------------------------------------


def test_a_transient_guest_cannot_be_saved_and_is_gone_when_down(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        bench.make_transient()
        uuid = bench.uuid(PASSING)
        facts = await trial.hypervisor.observe(uuid)
        assert facts is not None
        assert (facts.persistent, facts.autostart, facts.saved) == (False, False, False)
        saved = await refusal(trial.hypervisor.save(uuid, bypass_cache=False))
        assert saved is ErrorKind.WRONG_STATE
        await trial.hypervisor.poweroff(uuid)
        assert await trial.hypervisor.observe(uuid) is None
        assert (await trial.heard(EventKind.STOPPED, uuid)).detail == "destroyed"

    bench.run(story)


def test_undefining_a_running_guest_makes_it_transient(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        bench.undefine(trial.guest)
        facts = await trial.facts()
        assert (facts.up, facts.persistent) == (True, False)
        assert (await trial.heard(EventKind.UNDEFINED)).detail == "removed"
        bench.define()
        assert (await trial.facts()).persistent

    bench.run(story)


# -- a save under way ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow_qemu() -> Iterator[Bench]:
    """A real guest whose save takes for ever; it need not have booted."""
    with SessionDaemon(slow_saves=True) as daemon:
        daemon.set_save_rate(50_000)
        yield QemuBench(daemon)


@pytest.fixture(params=["slow_simulated", pytest.param("slow_qemu", marks=pytest.mark.guests)])
def slow_bench(request: pytest.FixtureRequest) -> Bench:
    """The implementations in which a save takes time, with saves of several minutes."""
    chosen: Bench = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def slow_simulated() -> Bench:
    """The simulation with a slow disk."""
    return SimulatedBench(Save(after=600.0))


async def _begin_save(trial: Trial) -> asyncio.Task[ErrorKind | None]:
    await trial.on()
    hypervisor = trial.hypervisor
    saving = asyncio.create_task(refusal(hypervisor.save(trial.guest, bypass_cache=False)))
    while (job := await hypervisor.job(trial.guest)) is None:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(POLL)
    assert job.kind is JobKind.SAVE
    facts = await trial.until(lambda facts: facts.state is State.PAUSED)
    assert (facts.reason, facts.saved) == ("saving", False)
    return saving


def test_an_aborted_save_lets_the_guest_run_on(slow_bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        saving = await _begin_save(trial)
        await trial.hypervisor.abort_job(trial.guest)
        assert await saving is ErrorKind.ABORTED
        facts = await trial.until(lambda facts: facts.state is State.RUNNING)
        assert (facts.reason, facts.saved) == ("save canceled", False)
        assert [event.kind for event in trial.events] == [EventKind.SUSPENDED, EventKind.RESUMED]
        assert await trial.hypervisor.job(trial.guest) is None

    slow_bench.run(story)


def test_poweroff_ends_a_save_too(slow_bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        saving = await _begin_save(trial)
        await trial.hypervisor.poweroff(trial.guest)
        assert await saving is ErrorKind.FAILED
        facts = await trial.facts()
        assert (facts.state, facts.reason, facts.saved) == (State.SHUT_OFF, "destroyed", False)

    slow_bench.run(story)
