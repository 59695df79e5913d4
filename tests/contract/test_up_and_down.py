"""What every Hypervisor does alike as guests come up and go down: starts, saves, stops, events."""

from __future__ import annotations

import asyncio
import threading

from guestctl.model.event import EventKind, GuestEvent, JobKind
from guestctl.model.guest import State
from guestctl.model.options import Method
from guestctl.model.ports import ErrorKind

from .benches import (
    LIMIT,
    NAME,
    POLL,
    Bench,
    Trial,
    refusal,
)
from .differences import UNKNOWN, expected

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


def test_a_start_may_bypass_the_cache_with_a_save_and_without(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.off()
        assert await trial.hypervisor.start(trial.guest, bypass_cache=True) == ""
        assert (await trial.facts()).state is State.RUNNING
        if await refusal(trial.hypervisor.save(trial.guest, bypass_cache=True)):
            return
        assert await trial.hypervisor.start(trial.guest, bypass_cache=True) == ""
        assert (await trial.facts()).state is State.RUNNING

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


def test_a_paused_guest_that_runs_again_is_restored_running(bench: Bench) -> None:
    async def story(trial: Trial) -> None:
        await trial.on()
        bench.pause(trial.guest)
        await trial.hypervisor.save(trial.guest, bypass_cache=False, runs_again=True)
        assert (await trial.facts()).saved
        await trial.hypervisor.start(trial.guest)
        assert (await trial.facts()).state is State.RUNNING

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
        await trial.heard(EventKind.RESUMED)  # it comes by itself, and later on a busy machine
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
