"""Plans: who, which steps, why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.settings import Boot
from guestctl.decisions.plan import (
    POWEROFF_TIMEOUT,
    plan_down,
    plan_guest_down,
    plan_missing,
    plan_restore,
)
from guestctl.decisions.policy import Policy
from guestctl.model.guest import DomainInfo, GuestFacts, State
from guestctl.model.options import Scope
from guestctl.model.plan import GuestPlan, Outcome, RunKind, Step, StepPlan, describe
from guestctl.model.record import GuestRecord, Wanted
from tests.unit.makers import (
    BOOT,
    EARLIER_BOOT,
    always,
    guest,
    guest_id,
    guests,
    guests_and_records,
    off,
    policies,
    policy,
    recorded,
)

DOWN = (Step.SAVE, Step.SHUTDOWN, Step.POWEROFF)
SAVE, SHUTDOWN, POWEROFF = DOWN
down_kinds = st.sampled_from([RunKind.PRESERVE, RunKind.SHUTDOWN])
PRESERVE = RunKind.PRESERVE


def steps_of(plan: GuestPlan) -> tuple[Step, ...]:
    """The steps without their timeouts."""
    return tuple(planned.step for planned in plan.steps)


# Down: the guest, the policy, the steps, and words of the reason for each that is left out

NOVAS = guest(info=DomainInfo(manager="OpenStack Nova"))
WAYS_DOWN: list[tuple[GuestFacts, Policy, tuple[Step, ...], dict[Step, str]]] = [
    (guest(), policy(), DOWN, {}),
    (guest(state=State.PAUSED), policy(), DOWN, {}),
    (guest(state=State.PMSUSPENDED), policy(), DOWN, {}),
    (guest(state=State.IN_SHUTDOWN), policy(), DOWN, {}),
    (guest(state=State.NO_STATE), policy(), DOWN, {}),
    (guest(), policy(save=Scope.ALL), DOWN, {}),
    (guest(), policy(save=Scope.NONE), (SHUTDOWN, POWEROFF), {SAVE: 'save = "none"'}),
    (guest(), policy(shutdown=Scope.NONE), (SAVE, POWEROFF), {SHUTDOWN: 'shutdown = "none"'}),
    (
        guest(),
        policy(shutdown=Scope.TRANSIENT, poweroff=Scope.TRANSIENT),
        (SAVE,),
        {SHUTDOWN: 'shutdown = "transient"', POWEROFF: 'poweroff = "transient"'},
    ),
    (guest(persistent=False), policy(), (SHUTDOWN, POWEROFF), {SAVE: "it is transient"}),
    (guest(persistent=False), policy(save=Scope.ALL), DOWN[1:], {SAVE: "it is transient"}),
    (
        guest(persistent=False),
        policy(shutdown=Scope.PERSISTENT),
        (POWEROFF,),
        {SAVE: "it is transient", SHUTDOWN: 'shutdown = "persistent"'},
    ),
    (
        guest(state=State.CRASHED),
        policy(),
        (POWEROFF,),
        {SAVE: "would bring the crash back", SHUTDOWN: "cannot hear"},
    ),
    (NOVAS, policy(), DOWN[1:], {SAVE: "OpenStack Nova starts it"}),
    (NOVAS, replace(policy(), told=frozenset({"save"})), DOWN, {}),
    (
        guest(),
        policy(Boot(managed_elsewhere=True), save=Scope.ALL),
        DOWN[1:],
        {SAVE: "another program starts it"},
    ),
]


@pytest.mark.parametrize(("facts", "chosen", "steps", "reasons"), WAYS_DOWN)
def test_the_steps_of_a_preserve(
    facts: GuestFacts, chosen: Policy, steps: tuple[Step, ...], reasons: dict[Step, str]
) -> None:
    plan = plan_guest_down(PRESERVE, facts, chosen)
    assert steps_of(plan) == steps
    assert plan.outcome is None
    left_out = dict(plan.left_out)
    assert left_out.keys() == reasons.keys()
    assert all(words in left_out[step] for step, words in reasons.items())


def test_a_shutdown_never_saves() -> None:
    plan = plan_guest_down(RunKind.SHUTDOWN, guest(), policy(save=Scope.ALL))
    assert steps_of(plan) == (SHUTDOWN, POWEROFF)
    assert plan.left_out == ((SAVE, "it is to be shut down"),)


def test_each_step_has_the_timeout_of_its_setting() -> None:
    plan = plan_guest_down(PRESERVE, guest(), policy(save_timeout=11, shutdown_timeout=22))
    assert [planned.timeout for planned in plan.steps] == [11, 22, POWEROFF_TIMEOUT]


def test_a_guest_for_which_policy_allows_nothing_is_skipped_with_every_reason() -> None:
    nothing = policy(save=Scope.NONE, shutdown=Scope.NONE, poweroff=Scope.NONE)
    plan = plan_guest_down(PRESERVE, guest(), nothing)
    assert (plan.outcome, plan.reason) == (Outcome.SKIPPED, "policy allows no step")
    assert [step for step, _ in plan.left_out] == list(DOWN)


def test_a_guest_that_is_off_is_skipped() -> None:
    plan = plan_guest_down(PRESERVE, off(), policy())
    assert (plan.outcome, plan.reason) == (Outcome.SKIPPED, "it is not running")


def test_a_preserve_is_for_all_that_are_up_by_name() -> None:
    seen = [guest("b", 1), off("off", 2), guest("a", 3), guest("b", 4)]
    plan = plan_down(PRESERVE, seen, always(policy()))
    assert [(g.guest.name, g.guest.id) for g in plan.guests] == [
        ("a", guest_id(3)),
        ("b", guest_id(1)),
        ("b", guest_id(4)),
    ]
    assert plan.kind is PRESERVE


def test_named_guests_are_all_accounted_for_and_no_others() -> None:
    seen = [guest("a", 1), off("b", 2), guest("c", 3)]
    plan = plan_down(PRESERVE, seen, always(policy()), named={guest_id(1), guest_id(2)})
    assert [(g.guest.name, g.outcome) for g in plan.guests] == [("a", None), ("b", Outcome.SKIPPED)]


def test_naming_none_is_not_the_same_as_naming_nothing() -> None:
    assert plan_down(PRESERVE, [guest()], always(policy()), named=frozenset()).guests == ()


@given(down_kinds, guests, policies)
def test_invariants_of_the_steps(kind: RunKind, facts: GuestFacts, chosen: Policy) -> None:
    plan = plan_guest_down(kind, facts, chosen)
    steps, left_out = steps_of(plan), tuple(step for step, _ in plan.left_out)
    assert (plan.outcome is None) == bool(steps)
    if not facts.up:
        assert steps == left_out == ()
        return
    assert sorted(steps + left_out, key=DOWN.index) == list(DOWN)
    assert list(steps) == sorted(steps, key=DOWN.index)
    assert all(reason for _, reason in plan.left_out)
    assert all(planned.timeout > 0 for planned in plan.steps)
    if not facts.persistent or kind is RunKind.SHUTDOWN:
        assert SAVE not in steps


@given(down_kinds, guests, policies)
def test_a_plan_in_words_leaves_nothing_out(
    kind: RunKind, facts: GuestFacts, chosen: Policy
) -> None:
    plan = plan_guest_down(kind, facts, chosen)
    text = describe(plan)
    assert all(f"{step} (at most " in text for step in steps_of(plan))
    assert all(f"no {step}: {reason}" in text for step, reason in plan.left_out)
    assert plan.reason in text
    assert plan.outcome is None or text.startswith(plan.outcome)


def test_plans_in_words() -> None:
    assert describe(plan_guest_down(PRESERVE, guest(), policy())) == (
        "save (at most 10min), then shutdown (at most 90s), then poweroff (at most 1min)"
    )
    transient = plan_guest_down(PRESERVE, guest(persistent=False), policy(poweroff=Scope.NONE))
    assert describe(transient) == (
        "shutdown (at most 90s); no save: it is transient, and libvirt saves persistent guests"
        ' only; no poweroff: policy has poweroff = "none"'
    )
    assert describe(plan_guest_down(PRESERVE, off(), policy())) == "skipped: it is not running"


# An error is not an answer: a guest whose state is unknown is neither off nor up

UNKNOWN = guest(state=State.UNKNOWN, reason="unknown")


@pytest.mark.parametrize("kind", [RunKind.PRESERVE, RunKind.SHUTDOWN])
@pytest.mark.parametrize("named", [None, {UNKNOWN.id}])
def test_a_guest_of_unknown_state_is_no_guest_that_is_off(kind: RunKind, named: Any) -> None:
    (plan,) = plan_down(kind, [UNKNOWN], always(policy()), named).guests
    assert plan.outcome is Outcome.UNKNOWN
    assert "not running" not in plan.reason


def test_a_guest_of_unknown_state_is_not_started_on_suspicion() -> None:
    records = {UNKNOWN.id: recorded(taken_down=True, up_boot=None)}
    (plan,) = plan_restore([UNKNOWN], records, always(policy()), BOOT).guests
    assert (plan.steps, plan.outcome) == ((), Outcome.UNKNOWN)


# Up: the guest, what is known of it, and what an unnamed restore does

WAYS_UP: list[tuple[GuestFacts, GuestRecord | None, Step | Outcome | None]] = [
    (off(), recorded(taken_down=True, up_boot=None), Step.START),
    (off(saved=True), recorded(taken_down=True, up_boot=None), Step.RESUME),
    (off(), recorded(up_boot=EARLIER_BOOT), Step.START),
    (off(saved=True), recorded(up_boot=EARLIER_BOOT), Step.RESUME),
    (off(), recorded(up_boot=None), Step.START),
    (off(reason="crashed"), recorded(), Step.START),
    (off(), recorded(taken_down=True, up_boot=None, hold="its disk changed"), Outcome.HELD),
    (off(), recorded(wanted=Wanted.OFF), None),
    (off(saved=True), recorded(wanted=Wanted.OFF, taken_down=True, up_boot=None), None),
    (off(), recorded(wanted=None), None),
    (off(autostart=True), None, None),
    (off(reason="shutdown"), recorded(), None),
    (off(reason="destroyed"), recorded(), None),
    (off(reason="migrated"), recorded(), None),
    (guest(), recorded(), None),
    (guest(), None, None),
]


@pytest.mark.parametrize(("facts", "record", "expected"), WAYS_UP)
def test_a_restore(
    facts: GuestFacts, record: GuestRecord | None, expected: Step | Outcome | None
) -> None:
    plan = plan_restore([facts], {facts.id: record} if record else {}, always(policy()), BOOT)
    found = [step.step for guest_plan in plan.guests for step in guest_plan.steps]
    found_verdicts = [guest_plan.outcome for guest_plan in plan.guests if guest_plan.outcome]
    assert [*found, *found_verdicts] == ([] if expected is None else [expected])


def test_a_restore_says_why_a_guest_is_held() -> None:
    records = {guest_id(): recorded(taken_down=True, up_boot=None, hold="its disk changed")}
    (plan,) = plan_restore([off()], records, always(policy()), BOOT).guests
    assert describe(plan) == "held: its disk changed"


def test_a_guest_that_policy_does_not_bring_back_is_named_as_skipped() -> None:
    records = {guest_id(): recorded(taken_down=True, up_boot=None)}
    (plan,) = plan_restore([off()], records, always(policy(Boot(restore=False))), BOOT).guests
    assert (plan.outcome, plan.reason) == (Outcome.SKIPPED, "policy has restore = false")


NAMED: list[tuple[GuestFacts, GuestRecord | None, Step | Outcome]] = [
    (off(), None, Step.START),
    (off(saved=True), None, Step.RESUME),
    (off(), recorded(wanted=Wanted.OFF), Step.START),
    (off(), recorded(hold="disk"), Outcome.HELD),
    (off(), recorded(hold=""), Outcome.HELD),
    (guest(), recorded(), Outcome.SKIPPED),
    (guest(), recorded(hold="disk"), Outcome.SKIPPED),
]


@pytest.mark.parametrize(("facts", "record", "expected"), NAMED)
def test_a_restore_of_a_named_guest(
    facts: GuestFacts, record: GuestRecord | None, expected: Step | Outcome
) -> None:
    """Policy's restore = false is about what happens by itself, not about what is asked for."""
    chosen = policy(Boot(restore=False, start_timeout=77))
    records = {facts.id: record} if record else {}
    (plan,) = plan_restore([facts, off("b", 2)], records, always(chosen), BOOT, {facts.id}).guests
    if isinstance(expected, Step):
        assert plan.steps == (StepPlan(expected, 77),)
    else:
        assert (plan.steps, plan.outcome) == ((), expected)


@given(guests_and_records, policies, st.booleans())
def test_invariants_of_a_restore(
    pair: tuple[GuestFacts, GuestRecord | None], chosen: Policy, is_named: bool
) -> None:
    facts, record = pair
    named = {facts.id} if is_named else None
    records = {facts.id: record} if record else {}
    plan = plan_restore([facts], records, always(chosen), BOOT, named)
    starts = [step for guest_plan in plan.guests for step in guest_plan.steps]
    assert len(plan.guests) == 1 or not is_named
    if facts.up or (record is not None and record.hold is not None):
        assert starts == []
    if not is_named and (
        record is None or record.wanted is not Wanted.ON or not chosen.boot.restore
    ):
        assert starts == []
    expected = Step.RESUME if facts.saved else Step.START
    assert all(step.step is expected for step in starts)
    assert all(describe(guest_plan) for guest_plan in plan.guests)


def test_guests_that_libvirt_lost_are_named_unless_it_could_not_be_asked() -> None:
    records = [
        recorded(1, "there"),
        recorded(2, "lost"),
        recorded(3, "off", wanted=Wanted.OFF),
        recorded(4, "undecided", wanted=None),
    ]
    (plan,) = plan_missing([off("there", 1)], records, ())
    assert (plan.guest.name, plan.outcome, plan.steps) == ("lost", Outcome.GONE, ())
    assert plan.guest.state is State.UNKNOWN
    assert plan_missing([], records, [guest_id().uri]) == ()
