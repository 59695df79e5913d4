"""What is to be done: steps, plans, and what policy can say of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import NamedTuple

from .guest import GuestFacts
from .units import show_duration


class Step(StrEnum):
    """What a run does to a guest: down with the first three, up with the others."""

    SAVE = "save"
    SHUTDOWN = "shutdown"
    POWEROFF = "poweroff"
    RESUME = "resume"
    START = "start"


class RunKind(StrEnum):
    """What a run is for."""

    PRESERVE = "preserve"
    SHUTDOWN = "shutdown"
    RESTORE = "restore"


class Basis(StrEnum):
    """What an estimate goes by: the guest's own past, that of its like, or nothing."""

    OWN = "own"
    LIKE = "like"
    DEFAULT = "default"


class Estimate(NamedTuple):
    """How many seconds something will take, and by what that is known."""

    seconds: float
    basis: Basis


@dataclass(frozen=True)
class StepPlan:
    """One step that a run will try, for at most `timeout` seconds; until the deadline, less what
    later steps need, where that is infinite.

    estimate: how many seconds it will take, going by earlier ones; None without any.
    basis: whose they were; None where there is no estimate.
    at_a_time: of a save, how many share the storage with it, itself included; 0 where that is not
    known.
    """

    step: Step
    timeout: float
    estimate: float | None = None
    basis: Basis | None = None
    at_a_time: int = 0


@dataclass(frozen=True)
class GuestPlan:
    """What a run will do to one guest, and why.

    steps are tried in order until one succeeds; left_out are the steps that policy or
    the guest's own nature excludes, each with the reason.
    outcome is set when nothing will be done.  notes: what else is done for the sake of the steps.
    """

    guest: GuestFacts
    steps: tuple[StepPlan, ...] = ()
    left_out: tuple[tuple[Step, str], ...] = ()
    outcome: Outcome | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def saves(self) -> bool:
        """Whether a managed save is among the steps."""
        return any(planned.step is Step.SAVE for planned in self.steps)


@dataclass(frozen=True)
class Plan:
    """Facts and policy brought together: the same value for `plan`, a run, logs and tests."""

    kind: RunKind
    guests: tuple[GuestPlan, ...]


class Outcome(StrEnum):
    """How a run ended for one guest."""

    SAVED = "saved"
    SHUT_DOWN = "shut-down"
    POWERED_OFF = "powered-off"
    RESUMED = "resumed"
    STARTED = "started"
    SKIPPED = "skipped"
    HELD = "held"
    GONE = "gone"
    UNKNOWN = "unknown"
    FAILED = "failed"


_BAD = frozenset({Outcome.HELD, Outcome.UNKNOWN, Outcome.FAILED})


def is_bad(kind: RunKind, outcome: Outcome) -> bool:
    """Whether the outcome leaves a guest where it should not be.

    One that moved away need not be taken to safety; one that is gone cannot be brought back.
    """
    return outcome in _BAD or (outcome is Outcome.GONE and kind is RunKind.RESTORE)


def ending(outcome: str, reason: str) -> str:
    """An outcome and its reason in one line; a reason that begins with the same word is enough."""
    if reason == outcome or reason.startswith(f"{outcome} "):
        return reason
    return f"{outcome}: {reason}" if reason else outcome


def describe(plan: GuestPlan) -> str:
    """A guest's plan in one line, the same in `plan`, logs and tests."""
    if plan.outcome is not None:
        return f"{ending(plan.outcome, plan.reason)}{_left_out(plan)}"
    steps = ", then ".join(map(_describe_step, plan.steps))
    return steps + _left_out(plan) + "".join(f"; {note}" for note in plan.notes)


def _describe_step(planned: StepPlan) -> str:
    limit = f"at most {show_duration(planned.timeout)}"
    if planned.timeout == inf:
        limit = "until the deadline"
    if planned.estimate is not None:
        limit = f"about {planned.estimate:.0f}s, {limit}"
    return f"{planned.step} ({limit})"


def _left_out(plan: GuestPlan) -> str:
    return "".join(f"; no {step}: {reason}" for step, reason in plan.left_out)
