"""What was done: triggers of runs, and how steps and runs ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .guest import GuestId
from .plan import Outcome, RunKind, Step, ending, is_bad


class Trigger(StrEnum):
    """What triggered a run."""

    COMMAND = "command"
    HOST_STOP = "host-stop"
    BOOT = "boot"
    CANCELLED = "cancelled"
    SWITCHED_ON = "switched-on"
    USER_SHUTDOWN = "user-shutdown"
    LATE = "late"
    SHED = "shed"
    RESUME = "resume"

    @property
    def keeps_at_it(self) -> bool:
        """Whether a guest that a restore of this kind cannot bring up is tried again later."""
        return self in (Trigger.BOOT, Trigger.CANCELLED, Trigger.LATE, Trigger.RESUME)


class StepEnd(StrEnum):
    """How one step ended."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class StepResult:
    """How one step went; seconds is how long it took.

    refused: libvirt will not do it as long as the guest is as it is.
    """

    step: Step
    end: StepEnd
    seconds: float
    reason: str = ""
    refused: bool = False


@dataclass(frozen=True)
class GuestResult:
    """How a run ended for one guest, with every step that was tried.

    awaits: it was not tried, for want of others; once they are there, it is.
    unready: why it was not ready in time though it came up; empty where nothing speaks against.
    """

    guest: GuestId
    name: str
    outcome: Outcome
    steps: tuple[StepResult, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    awaits: bool = False
    unready: str = ""

    @property
    def why(self) -> str:
        """The reason, and why it is not ready."""
        unready = f"not ready: {self.unready}" if self.unready else ""
        return "; ".join(part for part in (self.reason, unready) if part)

    @property
    def ending(self) -> str:
        """The outcome, and the same of it, in one line."""
        return ending(self.outcome, self.why)

    def is_bad(self, kind: RunKind) -> bool:
        """Whether such a run leaves it where, or as, it should not be."""
        return self.awaits or bool(self.unready) or is_bad(kind, self.outcome)

    @property
    def is_not_yet(self) -> bool:
        """Whether a restore ended so, and the guest may come up all the same, later."""
        return self.awaits or self.outcome in (Outcome.FAILED, Outcome.UNKNOWN)


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    lost names each connection that could not be read, with the reason: what is behind
    it is unknown.
    """

    kind: RunKind
    run: int | None
    guests: tuple[GuestResult, ...]
    lost: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every guest is where it should be, and ready."""
        bad = any(guest.is_bad(self.kind) for guest in self.guests)
        return not (bad or self.lost or self.interrupted)
