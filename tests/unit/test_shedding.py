"""Who is shed, who is not though they are named, and what a run that was cut off left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Order, Shutdown
from guestctl.decisions.attempts import in_the_air
from guestctl.decisions.shedding import Whom, as_shed, chosen, still_up
from guestctl.model.guest import GuestFacts, State
from guestctl.model.history import Attempt
from guestctl.model.plan import GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from guestctl.model.record import GuestRecord, held, seen_up, shed, taking_down
from guestctl.model.result import StepEnd, Trigger
from tests.ledgers import instant
from tests.unit.makers import BOOT, guest

A, B, C = (guest(name, number) for number, name in enumerate("abc"))
CONFIG = Config(
    guests=(
        GuestOverride("a", {"order": 30}),
        GuestOverride("b", {"order": 20, "shed": True}),
        GuestOverride("c", {"requires": ("b",)}),
    )
)


def names(*whom: object, config: Config = CONFIG) -> list[str]:
    """Of the three, those that are chosen."""
    found = chosen(Whom(*whom), [A, B, C], config)  # type: ignore[arg-type]  # by position
    return [it.name for it in (A, B, C) if it.id in found]


def test_who_is_meant() -> None:
    assert names() == ["a"]
    assert names(30) == ["a"]
    assert names(0) == ["a", "b"]
    assert names(31) == []
    assert names(None, "ups") == ["b"]
    assert names(30, "ups") == ["a"]
    assert names(config=Config()) == []
    assert names(config=Config(order=Order(order=0))) == ["a", "b", "c"]
    assert names(None, "ups", config=Config(shutdown=Shutdown(shed=True))) == ["a", "b", "c"]


def planned(facts: GuestFacts, record: GuestRecord | None = None) -> GuestPlan:
    """The plan of one guest that goes."""
    steps = (StepPlan(Step.SAVE, 60.0),)
    outcome = Outcome.SKIPPED if facts.down else None
    plan = GuestPlan(facts, () if facts.down else steps, outcome=outcome, reason="as it was")
    records = {facts.id: record} if record else {}
    (made,) = as_shed(Plan(RunKind.PRESERVE, (plan,)), [A, B, C], records, CONFIG, BOOT).guests
    return made


def record(facts: GuestFacts) -> GuestRecord:
    """Of a guest that is shed."""
    up = seen_up(GuestRecord(facts.id, facts.name), BOOT)
    return shed(taking_down(up, instant(1)), "on battery", BOOT)


def test_who_could_not_be_brought_back_is_left_alone() -> None:
    transient = replace(A, persistent=False)
    elsewhere = replace(A, info=replace(A.info, manager="Nova"))
    is_held = held(GuestRecord(A.id, "a"), "mine")
    for made in (planned(transient), planned(elsewhere), planned(A, is_held)):
        assert (made.steps, made.outcome) == ((), Outcome.SKIPPED)
    assert "guestctl release a" in planned(A, is_held).reason
    assert planned(A).outcome is None


def test_who_is_shed_already_is_told_from_who_is_off() -> None:
    off = replace(A, state=State.SHUT_OFF)
    assert planned(off, record(A)).reason == "it is shed already"
    assert planned(off).reason == "as it was"
    assert planned(A, record(A)).outcome is None  # what was begun with it was cut off


def test_who_stays_up_and_requires_it_is_named() -> None:
    assert planned(B).notes == ("required by c, which stays up",)
    assert planned(A).notes == ()


def attempt(step: Step, end: StepEnd | None = None) -> Attempt:
    """The newest step of a guest."""
    ended = None if end is None else 2
    return Attempt(1, RunKind.PRESERVE, Trigger.SHED, step, 1, ended, end)


@pytest.mark.parametrize(
    ("step", "end", "may_be"),
    [
        (Step.SAVE, None, True),
        (Step.SAVE, StepEnd.FAILED, False),
        (Step.SAVE, StepEnd.DONE, False),
        (Step.SHUTDOWN, None, True),
        (Step.SHUTDOWN, StepEnd.TIMED_OUT, True),
        (Step.SHUTDOWN, StepEnd.DONE, False),
        (Step.START, None, False),
    ],
)
def test_what_may_still_come_of_it(step: Step, end: StepEnd | None, may_be: bool) -> None:
    begun = replace(record(A), attempts=(attempt(step, end),))
    assert in_the_air(begun.attempts) == (step if may_be else None)
    found = still_up([A, B], {A.id: begun}, BOOT)
    assert found.going == ({A.id: step} if may_be else {})
    assert found.up == (frozenset() if may_be else {A.id})


def test_nothing_was_begun() -> None:
    assert in_the_air(()) is None
    assert still_up([A], {}, BOOT) == ({}, frozenset())
    assert still_up([replace(A, state=State.SHUT_OFF)], {A.id: record(A)}, BOOT).up == frozenset()


def test_one_that_is_being_started_is_not_up_yet() -> None:
    """A resume that was killed has asked for that."""
    starting = replace(A, state=State.PAUSED, reason="starting up")
    assert still_up([starting], {A.id: record(A)}, BOOT) == ({}, frozenset())
