"""What runs have begun with a guest, and what may still come of it."""

from __future__ import annotations

import pytest

from guestctl.decisions.attempts import (
    CARRIED_OUT,
    in_the_air,
    intent,
    may_be_followed,
    may_be_under_way,
)
from guestctl.model.history import Attempt
from guestctl.model.plan import RunKind, Step
from guestctl.model.result import StepEnd, Trigger
from guestctl.model.stop import Intent, StoppedBy

SECOND = 10**9
NOW = 5000 * SECOND
CUT_OFF, TIMED_OUT, DONE = None, StepEnd.TIMED_OUT, StepEnd.DONE
HOST, COMMAND, CANCELLED = Trigger.HOST_STOP, Trigger.COMMAND, Trigger.CANCELLED


def begun(
    run: int, step: Step, end: StepEnd | None, *, trigger: Trigger = HOST, ago: int = 60
) -> Attempt:
    """A step of that run with a guest."""
    kind = RunKind.RESTORE if trigger is CANCELLED else RunKind.PRESERVE
    at = NOW - ago * SECOND
    return Attempt(run, kind, trigger, step, at, None if end is None else at + 5 * SECOND, end)


ASKED = begun(1, Step.SHUTDOWN, CUT_OFF)
SAVING = begun(2, Step.SAVE, CUT_OFF, ago=50)
NOT_SAVED = begun(2, Step.SAVE, TIMED_OUT, ago=50)


@pytest.mark.parametrize("later", [SAVING, NOT_SAVED])
def test_a_request_is_not_hidden_by_what_the_next_process_begins(later: Attempt) -> None:
    tried = (ASKED, later)
    both = frozenset({Step.SHUTDOWN, Step.SAVE})
    assert intent(tried, NOW, 300.0) == Intent(StoppedBy.HOST, both)
    assert may_be_under_way(tried, NOW)
    assert in_the_air(tried) is Step.SHUTDOWN


def test_nor_one_that_was_not_followed_in_time() -> None:
    assert may_be_followed((begun(1, Step.SHUTDOWN, TIMED_OUT), SAVING))
    assert may_be_followed(
        (begun(1, Step.SHUTDOWN, TIMED_OUT), begun(1, Step.POWEROFF, StepEnd.FAILED))
    )


def test_the_host_answers_for_what_an_operator_had_begun_before() -> None:
    found = intent((begun(1, Step.SHUTDOWN, CUT_OFF, trigger=COMMAND), SAVING), NOW, 300.0)
    assert found == Intent(StoppedBy.HOST, frozenset({Step.SHUTDOWN, Step.SAVE}))


@pytest.mark.parametrize(
    "earlier",
    [
        [begun(1, Step.SHUTDOWN, DONE)],
        [ASKED, begun(2, Step.START, DONE, trigger=CANCELLED)],
        [begun(1, Step.SHUTDOWN, CUT_OFF, ago=60 + CARRIED_OUT // SECOND)],
    ],
    ids=["it went down", "it was started since", "long ago"],
)
def test_another_life_or_another_stop_does_not_count(earlier: list[Attempt]) -> None:
    tried = (*earlier, begun(3, Step.SAVE, TIMED_OUT, ago=50))
    assert intent(tried, NOW, 300.0) == Intent(StoppedBy.HOST, frozenset({Step.SAVE}))
    assert not may_be_under_way(tried, NOW)
    assert not may_be_followed(tried)
    assert in_the_air(tried) is None


def test_what_ended_before_the_window_explains_nothing() -> None:
    assert intent((ASKED, SAVING), NOW, 55.0) == Intent(StoppedBy.HOST, frozenset({Step.SAVE}))
    assert intent((ASKED, SAVING), NOW, 10.0) is None


def test_a_save_that_another_step_came_after_is_over() -> None:
    """libvirt does one at a time."""
    tried = (begun(1, Step.SAVE, CUT_OFF), begun(2, Step.POWEROFF, StepEnd.FAILED))
    assert not may_be_under_way(tried, NOW)
    assert in_the_air(tried) is None


def test_nothing_was_begun() -> None:
    assert intent((), NOW, 300.0) is None
    assert not may_be_under_way((), NOW)
    assert not may_be_followed(())
    assert in_the_air(()) is None
