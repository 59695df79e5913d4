"""What a run tells while it goes on, as events; words that those who show them share.

Whoever listens must not raise and must not block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from .guest import GuestFacts
from .plain import PlainError, from_plain, to_plain
from .plan import GuestPlan, Plan, Step
from .result import GuestResult, RunResult, StepResult, Trigger
from .text import names as names


@dataclass(frozen=True)
class RunBegan:
    """The plan about to be carried out; run: its number in the ledger, None without one.

    limit: the seconds until the run's deadline, None without one.  expected: those that it will
    take, going by earlier saves, None where they do not tell.
    """

    plan: Plan
    trigger: Trigger
    run: int | None = None
    limit: float | None = None
    expected: float | None = None


@dataclass(frozen=True)
class GuestAdded:
    """A guest turned up while the run goes on."""

    plan: GuestPlan


@dataclass(frozen=True)
class GettingReady:
    """Before its first step a guest is woken, or its other job waited for; timeout in seconds."""

    guest: GuestFacts
    timeout: float


@dataclass(frozen=True)
class StepBegan:
    """A step has its turn; timeout in seconds."""

    guest: GuestFacts
    step: Step
    timeout: float


@dataclass(frozen=True)
class Progress:
    """How far the current step is, from 0 to 1, or None; note says what it waits for."""

    guest: GuestFacts
    fraction: float | None
    note: str = ""


@dataclass(frozen=True)
class StepEnded:
    """A step is over."""

    guest: GuestFacts
    result: StepResult


@dataclass(frozen=True)
class GuestEnded:
    """Nothing more will be done to this guest."""

    result: GuestResult


@dataclass(frozen=True)
class RunEnded:
    """The run is over."""

    result: RunResult


@dataclass(frozen=True)
class Trouble:
    """Something that is nobody's fault in particular, such as a lost connection."""

    message: str


RunEvent = (
    RunBegan
    | GuestAdded
    | GettingReady
    | StepBegan
    | Progress
    | StepEnded
    | GuestEnded
    | RunEnded
    | Trouble
)
Listener = Callable[[RunEvent], None]
_EVENTS: dict[str, type[RunEvent]] = {kind.__name__: kind for kind in get_args(RunEvent)}


def event_to_plain(event: RunEvent) -> dict[str, Any]:
    """The event as JSON can hold it; "event" has the name of its class."""
    return {"event": type(event).__name__, **to_plain(event)}


def is_of_a_later_version(value: Any) -> bool:
    """Whether it is an event that this version does not know: there may be more of them later."""
    name = value.get("event") if isinstance(value, dict) else None
    return isinstance(name, str) and name not in _EVENTS


def event_from_plain(value: Any) -> RunEvent:
    """The event that event_to_plain was given.  Raises PlainError for anything else."""
    name = value.get("event") if isinstance(value, dict) else None
    kind = _EVENTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise PlainError(f"event: expected one of {', '.join(_EVENTS)}")
    return from_plain(kind, value)


def tell_all(*listeners: Listener) -> Listener:
    """Whoever tells this one tells each of them."""

    def tell(event: RunEvent) -> None:
        for listener in listeners:
            listener(event)

    return tell


def count_of_guests(number: int) -> str:
    """As in "1 guest" and "2 guests"."""
    return f"{number} guest" if number == 1 else f"{number} guests"


def count_up(number: int) -> str:
    """As in "no guest is up", "1 guest is up" and "2 guests are up"."""
    if not number:
        return "no guest is up"
    return f"{count_of_guests(number)} {'is' if number == 1 else 'are'} up"
