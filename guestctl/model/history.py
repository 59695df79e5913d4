"""Past runs and their steps, and lines of reason trails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .guest import GuestId
from .plan import Outcome, RunKind, Step
from .result import StepEnd, Trigger
from .stop import Verdict


@dataclass(frozen=True)
class Actor:
    """Who is behind a command.

    user: whose login it is.  origin: the terminal where it was typed, or systemd's unit that ran
    it; None where neither is known.  command: the command line.
    """

    user: str
    origin: str | None
    command: str

    def __str__(self) -> str:
        return f"{self.user}{self.where}: {self.command}"

    @property
    def where(self) -> str:
        """As in " on pts/0", to follow a name; empty where that is not known."""
        return f" on {self.origin}" if self.origin else ""


@dataclass(frozen=True)
class PastRun:
    """A run as the ledger remembers it; ended and ok are None when it was cut off.

    user, origin, command: as of Actor; None for a run that nobody asked for.
    """

    id: int
    kind: RunKind
    trigger: Trigger
    boot: str
    pid: int
    begun: int
    ended: int | None
    ok: bool | None
    user: str | None = None
    origin: str | None = None
    command: str | None = None

    @property
    def actor(self) -> Actor | None:
        """Who asked for it, if anybody did."""
        return Actor(self.user, self.origin, self.command or "") if self.user else None


@dataclass(frozen=True)
class PastShutdown:
    """How many seconds a guest took to shut down once it was asked."""

    guest: GuestId
    seconds: float


@dataclass(frozen=True)
class PastStart:
    """How many seconds it took to start a guest, or to resume it.

    ready: how many more it took to be ready, None where that was not waited for, or in vain.
    """

    guest: GuestId
    step: Step
    seconds: float
    ready: float | None = None


@dataclass(frozen=True)
class PastGuest:
    """What became of one guest in a past run: an outcome, or CUT_OFF, or AT_WORK.

    begun, ended: when the run had it in hand, None where that is not known.
    """

    name: str
    outcome: str
    reason: str
    uuid: str = ""
    uri: str = ""
    begun: int | None = None
    ended: int | None = None

    @property
    def id(self) -> GuestId:
        """Which guest it is."""
        return GuestId(self.uri, self.uuid)

    @property
    def is_off(self) -> bool:
        """Whether it went off, or is not to come back any more, because of that run."""
        return self.outcome in _OFF or self.reason == NOT_TO_COME_BACK


_OFF = (Outcome.SAVED, Outcome.SHUT_DOWN, Outcome.POWERED_OFF)
#: Of a guest that was off, and was to come back, when `shutdown --all` spoke for it as well.
NOT_TO_COME_BACK = "it was off already; it was to come back, and stays down now"
#: Of guests whose end was not written, in a run that is over, and in one that goes on.
CUT_OFF, AT_WORK = "cut off", "at work"


@dataclass(frozen=True)
class PastStep:
    """A step of a past run; ended and end are None when it was cut off."""

    name: str
    step: Step
    begun: int
    ended: int | None
    end: str | None
    reason: str


@dataclass(frozen=True)
class TrailEntry:
    """One line of a reason trail; at is in nanoseconds since the epoch."""

    source: str
    reason: str
    at: int


@dataclass(frozen=True)
class TrailEvent:
    """A line of any guest's trail; verdict is there where the line is one.

    number: later lines have higher ones.
    """

    number: int
    guest: GuestId
    name: str
    entry: TrailEntry
    verdict: Verdict | None


class Note(NamedTuple):
    """What whoever asked for a run says about why, for the reason trails; source: who that is."""

    source: str
    text: str


@dataclass(frozen=True)
class Attempt:
    """A step that a run has begun with a guest; ended and end are None where it was cut off.

    run, kind, trigger: of the run.  Times are in nanoseconds since the host's boot (Instant.up).
    """

    run: int
    kind: RunKind
    trigger: Trigger
    step: Step
    begun: int
    ended: int | None = None
    end: StepEnd | None = None

    @property
    def worked(self) -> bool:
        """Whether the step is known to have brought about what it was for."""
        return self.end is StepEnd.DONE
