"""Values as JSON can hold them, and back."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.model.finding import Finding
from guestctl.model.guest import GuestId
from guestctl.model.history import PastGuest, PastRun, PastStep, TrailEntry, TrailEvent
from guestctl.model.plain import PlainError, from_plain, to_plain
from guestctl.model.plan import Basis, GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from guestctl.model.report import (
    GettingReady,
    GuestAdded,
    GuestEnded,
    Progress,
    RunBegan,
    RunEnded,
    RunEvent,
    StepBegan,
    StepEnded,
    Trouble,
    event_from_plain,
    event_to_plain,
)
from guestctl.model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from guestctl.model.stop import Verdict
from tests.unit.facts_values import guests, ids
from tests.unit.makers import guest, guest_id, texts

seconds = st.floats(0, 1e9) | st.just(inf)
step_results = st.builds(StepResult, step=st.sampled_from(Step), seconds=seconds, reason=texts)
guest_results = st.builds(
    GuestResult,
    guest=ids,
    name=texts,
    outcome=st.sampled_from(Outcome),
    steps=st.lists(step_results, max_size=2).map(tuple),
    seconds=seconds,
    reason=texts,
)
results = st.builds(
    RunResult,
    kind=st.sampled_from(RunKind),
    run=st.none() | st.integers(1, 2**53),
    guests=st.lists(guest_results, max_size=2).map(tuple),
    lost=st.dictionaries(texts, texts, max_size=2),
)
step_plans = st.builds(StepPlan, step=st.sampled_from(Step), timeout=seconds)
guest_plans = st.builds(
    GuestPlan,
    guest=guests,
    steps=st.lists(step_plans, max_size=2).map(tuple),
    left_out=st.lists(st.tuples(st.sampled_from(Step), texts), max_size=2).map(tuple),
    outcome=st.none() | st.sampled_from(Outcome),
    notes=st.lists(texts, max_size=1).map(tuple),
)
plans = st.builds(
    Plan, kind=st.sampled_from(RunKind), guests=st.lists(guest_plans, max_size=2).map(tuple)
)
events: st.SearchStrategy[RunEvent] = st.one_of(
    st.builds(RunBegan, plan=plans, limit=st.none() | seconds),
    st.builds(GuestAdded, plan=guest_plans),
    st.builds(GettingReady, guest=guests, timeout=seconds),
    st.builds(StepBegan, guest=guests, timeout=seconds),
    st.builds(Progress, guest=guests, fraction=st.none() | st.floats(0, 1), note=texts),
    st.builds(StepEnded, guest=guests, result=step_results),
    st.builds(GuestEnded, result=guest_results),
    st.builds(RunEnded, result=results),
    st.builds(Trouble, message=texts),
)


def through_json(value: Any) -> Any:
    """As it arrives at somebody else; a number without end would be no JSON."""
    return json.loads(json.dumps(value, allow_nan=False))


@given(events)
def test_events_of_runs_come_back_as_they_were(event: RunEvent) -> None:
    assert event_from_plain(through_json(event_to_plain(event))) == event


PAST = st.one_of(
    *map(st.from_type, (PastRun, PastGuest, PastStep, TrailEntry, TrailEvent, Finding, Verdict))
)


@given(results | PAST)
def test_values_come_back_as_they_were(value: Any) -> None:
    back = from_plain(type(value), through_json(to_plain(value)))
    assert back == value
    assert type(back) is type(value)


def test_values_stay_nested() -> None:
    end = StepEnded(guest(), StepResult(Step.SAVE, StepEnd.DONE, 2.0))
    plain = event_to_plain(end)
    assert plain["event"] == "StepEnded"
    assert plain["guest"]["id"] == guest_id()._asdict()
    assert plain["result"] == {
        "step": "save",
        "end": "done",
        "seconds": 2.0,
        "reason": "",
        "refused": False,
    }


STEP = {"step": "save", "timeout": 3.0}
ENTRY = {"source": "s", "reason": "r", "at": 1}
WRONG: list[tuple[type, Any, str]] = [
    (StepPlan, [], "the value: expected an object, not a list of 0"),
    (StepPlan, {"step": "save"}, "timeout: is missing"),
    (StepPlan, {**STEP, "step": "fly"}, "step: expected one of save, shutdown"),
    (StepPlan, {**STEP, "step": 3}, "step: expected one of save, shutdown"),
    (StepPlan, {**STEP, "step": []}, "step: expected one of save, shutdown"),
    (StepPlan, {**STEP, "timeout": "3"}, "timeout: expected a number, not '3'"),
    (StepPlan, {**STEP, "timeout": True}, "timeout: expected a number, not True"),
    (StepPlan, {**STEP, "timeout": None}, "timeout: expected a number, not None"),
    (StepPlan, {**STEP, "timeout": float("nan")}, "timeout: expected a number, not nan"),
    (StepPlan, {**STEP, "timeout": 10**400}, "timeout: expected a number, not 1000"),
    (StepPlan, {**STEP, "timeout": 10**9999}, "timeout: expected a number, not such a number"),
    (StepPlan, {**STEP, "at_a_time": 1.5}, "at_a_time: expected a whole number, not 1.5"),
    (StepPlan, {**STEP, "at_a_time": False}, "at_a_time: expected a whole number, not False"),
    (TrailEntry, {**ENTRY, "reason": 1}, "reason: expected a text, not 1"),
    (TrailEntry, {**ENTRY, "reason": ["x" * 99]}, "reason: expected a text, not a list of 1"),
    (Trouble, {"message": 1}, "message: expected a text, not 1"),
    (GuestId, {"uri": "u"}, "uuid: is missing"),
    (RunResult, {"kind": "preserve", "run": None, "guests": [{}]}, "guests[0]."),
    (
        RunResult,
        {"kind": "preserve", "run": None, "guests": [], "lost": {"u": 1}},
        "lost.u: expected a text, not 1",
    ),
    (
        RunResult,
        {"kind": "preserve", "run": None, "guests": [], "interrupted": 1},
        "interrupted: expected true or false, not 1",
    ),
]


@pytest.mark.parametrize(("kind", "value", "said"), WRONG)
def test_what_is_not_of_the_kind(kind: type, value: Any, said: str) -> None:
    with pytest.raises(PlainError) as caught:
        from_plain(kind, value)
    assert str(caught.value).startswith(said)


def test_a_pair_is_of_two() -> None:
    plan = {**to_plain(GuestPlan(guest())), "left_out": [["save"]]}
    with pytest.raises(PlainError, match=r"^left_out\[0\]: expected a list of 2, not a list of 1$"):
        from_plain(GuestPlan, plan)


@pytest.mark.parametrize("value", [None, 1, {}, {"event": []}, {"event": "Explosion"}])
def test_what_is_no_event(value: Any) -> None:
    with pytest.raises(PlainError, match="event: expected one of RunBegan, "):
        event_from_plain(value)


def test_a_newer_version_may_say_more() -> None:
    assert event_from_plain({"event": "Trouble", "message": "m", "since": 3}) == Trouble("m")
    assert from_plain(StepPlan, {**STEP, "basis": "own"}) == StepPlan(
        Step.SAVE, 3.0, basis=Basis.OWN
    )
    assert to_plain(Trigger.COMMAND) == Trigger.COMMAND
