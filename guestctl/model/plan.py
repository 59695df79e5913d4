"""What is to be done: steps, plans, and what policy can say of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .guest import GuestFacts


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


class NextBoot(StrEnum):
    """What the next boot of the host does with a guest."""

    RESUME = "resume"
    START = "start"
    STAY_DOWN = "stay-down"
    HELD = "held"


@dataclass(frozen=True)
class StepPlan:
    """One step that a run will try, for at most `timeout` seconds.

    estimate: how many seconds it will take, going by earlier ones; None without any.
    """

    step: Step
    timeout: float
    estimate: float | None = None


@dataclass(frozen=True)
class GuestPlan:
    """What a run will do to one guest, and why.

    steps are tried in order until one succeeds; left_out are the steps that policy or
    the guest's own nature excludes, each with the reason.
    outcome is set when nothing will be done.
    """

    guest: GuestFacts
    steps: tuple[StepPlan, ...] = ()
    left_out: tuple[tuple[Step, str], ...] = ()
    outcome: Outcome | None = None
    reason: str = ""

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
