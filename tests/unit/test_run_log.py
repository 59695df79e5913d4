"""What runs have told is there for whoever comes later, as far as it still matters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from guestctl.model.guest import DomainInfo, GuestFacts, GuestId, State
from guestctl.model.plan import GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from guestctl.model.report import (
    GuestEnded,
    Progress,
    RunBegan,
    RunEnded,
    RunEvent,
    StepBegan,
    Trouble,
    event_from_plain,
)
from guestctl.model.result import GuestResult, RunResult, Trigger
from guestctl.service import run_log
from guestctl.service.run_log import GuestLine, LoggedRun, RunLog, RunState, ended_json

WEB = GuestFacts(
    GuestId("qemu:///system", "u1"), "web", State.RUNNING, info=DomainInfo(digest="long")
)
PLAN = Plan(RunKind.PRESERVE, (GuestPlan(WEB, (StepPlan(Step.SAVE, 60.0),)),))
SAVED = GuestResult(WEB.id, "web", Outcome.SAVED)
RESULT = RunResult(RunKind.PRESERVE, 7, (SAVED,))


def story() -> Iterator[RunEvent]:
    """A run of one guest."""
    yield RunBegan(PLAN, Trigger.HOST_STOP, 7)
    yield StepBegan(WEB, Step.SAVE, 60.0)
    for tenth in range(10):
        yield Progress(WEB, tenth / 10)
    yield GuestEnded(SAVED)
    yield RunEnded(RESULT)


def test_a_run_is_there_from_its_beginning() -> None:
    log, told = RunLog(), list[int]()
    log.on_event = lambda run, number: told.append(number)
    states, lines = list[RunState](), list[GuestLine]()
    for event in story():
        log(event)
        states.append(log.runs[1].state)
        lines += log.runs[1].guests.values()
    assert (states[0], states[-1], log.current) == (RunState.RUNNING, RunState.ENDED, None)
    assert lines[0] == GuestLine("web", "waiting")
    assert lines[1] == GuestLine("web", "save")
    assert lines[5].fraction == pytest.approx(0.3)
    assert lines[-1] == GuestLine("web", "saved")
    assert told == [0, *range(1, 15)]
    run = log.runs[1]
    assert (run.run, run.kind, run.trigger, run.ok) == (7, "preserve", "host-stop", True)
    assert ended_json(run)["guests"][0]["outcome"] == "saved"


def test_events_come_back_as_they_were_told_but_for_what_xml_says() -> None:
    log = RunLog()
    for event in story():
        log(event)
    found = log.runs[1].since(0)
    numbers = [number for number, _ in found]
    assert numbers == [1, 2, 12, 13, 14]  # of its progress the newest alone
    events = [event_from_plain(json.loads(text)) for _, text in found]
    bare = replace(WEB, info=DomainInfo())
    assert events[1] == StepBegan(bare, Step.SAVE, 60.0)
    assert events[-1] == RunEnded(RESULT)
    assert log.runs[1].since(13) == found[-2:]
    assert log.runs[1].is_last(14)
    assert not log.runs[1].is_last(13)
    assert log.runs[1].event(3) == ""


def test_an_answer_has_so_much_and_always_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "PORTION", 500)
    run, numbers = LoggedRun(RunKind.PRESERVE, Trigger.COMMAND), list[int]()
    for _ in range(20):
        run.add(Trouble("x" * 200))
    run.add(Trouble("x" * 2000))
    while found := run.since(numbers[-1] + 1 if numbers else 0):
        assert len(found) <= 2
        numbers += [number for number, _ in found]
    assert numbers == list(range(1, 22))


def test_the_newest_few_are_kept_and_what_they_told_has_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_log, "MOST_EVENTS", 10)
    log = RunLog()
    for _ in range(9):
        for event in story():
            log(event)
    assert list(log.runs) == [5, 6, 7, 8, 9]
    run = log.runs[9]
    for _ in range(50):
        run.add(Trouble("again"))
    numbers = [number for number, _ in run.since(0)]
    assert len(numbers) == 10
    assert numbers[0] == 1  # its plan


def test_one_that_never_began_is_none_of_the_runs() -> None:
    log = RunLog()
    run = LoggedRun(RunKind.RESTORE, Trigger.COMMAND)
    log.tell(run, Trouble("no"))
    log.close(run)
    assert (log.runs, log.current) == ({}, None)
    assert ended_json(run)["interrupted"]


def test_one_that_was_cut_off_ends_with_the_next() -> None:
    log = RunLog()
    log(RunBegan(PLAN, Trigger.HOST_STOP))
    log(RunBegan(PLAN, Trigger.HOST_STOP))
    assert [run.state for run in log.runs.values()] == [RunState.ENDED, RunState.RUNNING]
    assert log.current is log.runs[2]


def test_a_fault_in_telling_others_does_not_end_a_run() -> None:
    log = RunLog()

    def fault(_run: LoggedRun, _number: int) -> None:
        raise RuntimeError("of whoever tells them")

    log.on_event = fault
    log(next(story()))
    log(next(story()))
    assert [run.state for run in log.runs.values()] == [RunState.ENDED, RunState.RUNNING]
