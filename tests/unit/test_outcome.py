"""What became of a guest that a run took down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.decisions.outcome import outcome_down, told_by_steps
from guestctl.model.guest import GuestFacts, State
from guestctl.model.plan import Outcome, Step
from guestctl.model.result import GuestResult, StepEnd, StepResult
from tests.unit.makers import guest, guest_id, guests, off

Steps = tuple[StepResult, ...]


def done(step: Step) -> StepResult:
    """The step worked."""
    return StepResult(step, StepEnd.DONE, 1.0)


def failed(step: Step, end: StepEnd = StepEnd.FAILED) -> StepResult:
    """The step did not work."""
    return StepResult(step, end, 1.0, f"why no {step}")


NO_SAVE = failed(Step.SAVE)
NO_SHUTDOWN = failed(Step.SHUTDOWN, StepEnd.TIMED_OUT)
NO_POWEROFF = failed(Step.POWEROFF)
LEFT_OUT = failed(Step.POWEROFF, StepEnd.LEFT_OUT)
SAVED = off(saved=True, reason="saved")

# The facts in the end, libvirt's word from the event, the steps; the outcome and its reason
CASES: list[tuple[GuestFacts | None, str, Steps, Outcome, str]] = [
    # The steps worked.
    (SAVED, "saved", (done(Step.SAVE),), Outcome.SAVED, ""),
    (SAVED, "", (done(Step.SAVE),), Outcome.SAVED, ""),
    (
        off(),
        "shutdown",
        (NO_SAVE, done(Step.SHUTDOWN)),
        Outcome.SHUT_DOWN,
        "save: why no save",
    ),
    (off(), "", (done(Step.SHUTDOWN),), Outcome.SHUT_DOWN, ""),
    (
        off(reason="destroyed"),
        "destroyed",
        (NO_SAVE, NO_SHUTDOWN, done(Step.POWEROFF)),
        Outcome.POWERED_OFF,
        "save: why no save; shutdown: why no shutdown",
    ),
    (None, "shutdown", (done(Step.SHUTDOWN),), Outcome.SHUT_DOWN, ""),
    (None, "destroyed", (done(Step.POWEROFF),), Outcome.POWERED_OFF, ""),
    # They did not, and it is still up.
    (
        guest(),
        "",
        (NO_SAVE, NO_SHUTDOWN, NO_POWEROFF),
        Outcome.FAILED,
        "save: why no save; shutdown: why no shutdown; poweroff: why no poweroff",
    ),
    (guest(), "", (LEFT_OUT,), Outcome.FAILED, "poweroff: why no poweroff"),
    (guest(), "", (), Outcome.FAILED, "it is still up"),
    (guest(saved=True), "saved", (done(Step.SAVE),), Outcome.FAILED, "it is still up"),
    (guest(state=State.CRASHED), "", (NO_POWEROFF,), Outcome.FAILED, "poweroff: why no poweroff"),
    # It went another way meanwhile.
    (off(), "shutdown", (), Outcome.SHUT_DOWN, "it went down by itself"),
    (off(), "shutdown", (NO_SAVE,), Outcome.SHUT_DOWN, "it went down by itself"),
    (off(), "destroyed", (NO_SAVE,), Outcome.POWERED_OFF, "somebody pulled its plug"),
    (off(), "crashed", (NO_SAVE,), Outcome.POWERED_OFF, "it crashed"),
    (off(), "failed", (), Outcome.POWERED_OFF, "its hypervisor process ended"),
    (off(), "from snapshot", (), Outcome.SHUT_DOWN, "it was reverted to a snapshot"),
    (off(reason="crashed"), "", (), Outcome.POWERED_OFF, "it crashed"),
    (off(reason="unknown"), "", (), Outcome.SHUT_DOWN, "it went down by itself"),
    (SAVED, "saved", (NO_SAVE,), Outcome.SAVED, "save: why no save"),
    (SAVED, "saved", (), Outcome.SAVED, ""),
    (off(reason="migrated"), "migrated", (NO_SAVE,), Outcome.GONE, "it was migrated away"),
    (None, "migrated", (), Outcome.GONE, "it was migrated away"),
    (None, "migrated", (done(Step.SHUTDOWN),), Outcome.GONE, "it was migrated away"),
    (SAVED, "migrated", (done(Step.SAVE),), Outcome.GONE, "it was migrated away"),
    # It went down while it was being asked to, and not because of it.
    (off(), "crashed", (done(Step.SHUTDOWN),), Outcome.POWERED_OFF, "it crashed"),
    (off(), "destroyed", (done(Step.SHUTDOWN),), Outcome.POWERED_OFF, "somebody pulled its plug"),
    (off(), "crashed", (done(Step.POWEROFF),), Outcome.POWERED_OFF, ""),
    # To a file of somebody's own: there is no managed save to resume from.
    (off(), "saved", (NO_SAVE,), Outcome.GONE, "somebody saved it to a file"),
    (None, "", (), Outcome.GONE, "it is gone"),
    (None, "destroyed", (), Outcome.POWERED_OFF, "somebody pulled its plug"),
]


@pytest.mark.parametrize(("facts", "stopped", "steps", "outcome", "reason"), CASES)
def test_outcomes(
    facts: GuestFacts | None, stopped: str, steps: Steps, outcome: Outcome, reason: str
) -> None:
    found, why = outcome_down(facts, stopped, steps)
    assert found is outcome
    assert why.startswith(reason)
    assert bool(why) == bool(reason)


TOLD: list[tuple[Outcome, Steps, bool]] = [
    (Outcome.SAVED, (done(Step.SAVE),), True),
    (Outcome.SHUT_DOWN, (NO_SAVE, done(Step.SHUTDOWN)), True),
    (Outcome.POWERED_OFF, (NO_SAVE, done(Step.POWEROFF)), True),
    (Outcome.POWERED_OFF, (done(Step.SHUTDOWN),), False),
    (Outcome.SAVED, (NO_SAVE,), False),
    (Outcome.SAVED, (done(Step.SAVE), NO_SHUTDOWN), False),
    (Outcome.GONE, (), False),
]


@pytest.mark.parametrize(("outcome", "steps", "told"), TOLD)
def test_a_trail_repeats_no_outcome_that_its_last_step_tells(
    outcome: Outcome, steps: Steps, told: bool
) -> None:
    assert told_by_steps(GuestResult(guest_id(), "web", outcome, steps)) is told


@pytest.mark.parametrize("steps", [(), (done(Step.SHUTDOWN),), (NO_SAVE, NO_SHUTDOWN)])
def test_an_unknown_state_is_an_unknown_outcome(steps: Steps) -> None:
    """Never "shut-down": libvirt said a state that this guestctl has no word for."""
    facts = guest(state=State.UNKNOWN, reason="unknown")
    assert outcome_down(facts, "", steps)[0] is Outcome.UNKNOWN


step_results = st.builds(
    StepResult,
    st.sampled_from([Step.SAVE, Step.SHUTDOWN, Step.POWEROFF]),
    st.sampled_from(StepEnd),
    st.just(1.0),
    st.just("some reason"),
)
words = st.sampled_from(
    ["", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot", "x"]
)


@given(st.none() | guests, words, st.lists(step_results, max_size=3))
def test_invariants(facts: GuestFacts | None, word: str, steps: list[StepResult]) -> None:
    outcome, reason = outcome_down(facts, word, steps)
    assert (outcome is Outcome.FAILED) == (facts is not None and facts.up)
    assert outcome is not Outcome.SAVED or (facts is not None and facts.saved)
    assert outcome not in (Outcome.RESUMED, Outcome.STARTED, Outcome.HELD, Outcome.SKIPPED)
    if outcome is not Outcome.SAVED and not any(step.end is StepEnd.DONE for step in steps):
        assert reason
