"""The few things that the values of the model work out by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.model.event import Job, JobKind
from guestctl.model.guest import State
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.result import GuestResult, RunResult
from tests.unit.makers import guest, guest_id

UP = {
    State.NO_STATE: True,
    State.RUNNING: True,
    State.IDLE: True,
    State.PAUSED: True,
    State.IN_SHUTDOWN: True,
    State.CRASHED: True,
    State.PMSUSPENDED: True,
    State.SHUT_OFF: False,
    # Not up is not the same as off: whoever acts on it must look at the state as well.
    State.UNKNOWN: False,
}


@pytest.mark.parametrize("state", State)
def test_a_guest_is_up_while_it_has_memory_to_lose(state: State) -> None:
    assert guest(state=state).up is UP[state]


@given(st.integers(-(2**64), 2**64), st.integers(-(2**64), 2**64))
def test_progress_is_a_fraction_or_unknown(done: int, total: int) -> None:
    fraction = Job(JobKind.SAVE, done, total).fraction
    assert fraction is None if total <= 0 else fraction is not None and fraction <= 1


def _result(kind: RunKind, *outcomes: Outcome, **differs: Any) -> RunResult:
    results = tuple(GuestResult(guest_id(n), "x", o) for n, o in enumerate(outcomes))
    return RunResult(kind, 1, results, **differs)


BAD = {
    RunKind.PRESERVE: {Outcome.FAILED, Outcome.UNKNOWN, Outcome.HELD},
    RunKind.SHUTDOWN: {Outcome.FAILED, Outcome.UNKNOWN, Outcome.HELD},
    # Gone is fine for a guest that was to leave, and not for one that was to come back.
    RunKind.RESTORE: {Outcome.FAILED, Outcome.UNKNOWN, Outcome.HELD, Outcome.GONE},
}


@pytest.mark.parametrize("kind", RunKind)
@pytest.mark.parametrize("outcome", Outcome)
def test_one_guest_where_it_should_not_be_is_enough(kind: RunKind, outcome: Outcome) -> None:
    assert _result(kind, Outcome.SKIPPED, outcome).ok is (outcome not in BAD[kind])


def test_a_run_without_guests_is_well() -> None:
    assert _result(RunKind.PRESERVE).ok


def test_a_run_that_did_not_see_or_do_everything_is_not_well() -> None:
    assert not _result(RunKind.PRESERVE, Outcome.SAVED, lost={"qemu:///system": "no answer"}).ok
    assert not _result(RunKind.PRESERVE, Outcome.SAVED, interrupted=True).ok
