"""What the service's runs have told: whoever looks at one later has it whole, and what follows.

Of each guest only the newest progress is kept.  Events are made JSON when somebody asks for them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from ..model.guest import DomainInfo, GuestFacts, GuestId
from ..model.history import Actor
from ..model.plan import GuestPlan, Plan, RunKind
from ..model.report import (
    GettingReady,
    GuestAdded,
    GuestEnded,
    Progress,
    RunBegan,
    RunEnded,
    RunEvent,
    StepBegan,
    StepEnded,
    event_to_plain,
)
from ..model.result import GuestResult, RunResult, Trigger

logger = logging.getLogger(__name__)

#: So many runs are kept that are over, the newest.
KEPT = 4
#: So many events of a run; of more, the oldest but the first are forgotten.
MOST_EVENTS = 50_000
#: Of events so many characters go into one answer, and at least one event.  It is made in the event
#: loop: a million take 70 ms, and a user may ask for 32 answers at a time.
PORTION = 1 << 17


class RunState(StrEnum):
    """How far a run is."""

    PREPARING = "preparing"
    RUNNING = "running"
    ENDED = "ended"


class GuestLine(NamedTuple):
    """Of a guest: the step under way, or the outcome, or `waiting`; why; how far, or -1."""

    name: str
    doing: str
    reason: str = ""
    fraction: float = -1.0


@dataclass
class _Logged:
    """An event, then in its place its JSON; at: when it was, in nanoseconds of CLOCK_MONOTONIC."""

    event: RunEvent | None
    text: str = ""
    at: int = field(default_factory=time.monotonic_ns)

    def json(self) -> str:
        if self.event is not None:
            values = {"monotonic": self.at, **event_to_plain(self.event)}
            self.text, self.event = json.dumps(values), None
        return self.text


#: Told of a run and the number of its event; 0: it is shown from now on, or ended without one.
OnEvent = Callable[["LoggedRun", int], None]


class LoggedRun:
    """A run, and what it has told.

    number: of the service's runs, from 1 on; 0 before it is shown.  run: its number in the ledger,
    where there is one.  actor: who asked for it; None for one that nobody asked for.
    began: in nanoseconds since the epoch.  result: None where it ended without one, see `ok`.
    """

    def __init__(self, kind: RunKind, trigger: Trigger, actor: Actor | None = None) -> None:
        self.number = 0
        self.kind = kind
        self.trigger = trigger
        self.actor = actor
        self.run: int | None = None
        self.began = time.time_ns()
        self.state = RunState.PREPARING
        self.result: RunResult | None = None
        self.guests: dict[GuestId, GuestLine] = {}
        self._events: dict[int, _Logged] = {}
        self._newest = 0
        #: The number of the event that has its plan.
        self._first = 0
        #: Of guests: the number of the newest event of their progress.
        self._progress: dict[GuestId, int] = {}

    @property
    def ok(self) -> bool:
        """Whether it has ended, and every guest is where it should be."""
        return self.result is not None and self.result.ok

    @property
    def newest(self) -> int:
        """The number of its newest event; 0 where there is none."""
        return self._newest

    def add(self, event: RunEvent) -> int:
        """One more event; its number."""
        self._newest += 1
        if isinstance(event, Progress):
            self._events.pop(self._progress.get(event.guest.id, 0), None)
            self._progress[event.guest.id] = self._newest
        self._events[self._newest] = _Logged(slim(event))
        if len(self._events) > MOST_EVENTS:
            del self._events[next(number for number in self._events if number != self._first)]
        self._take(event)
        return self._newest

    def event(self, number: int) -> str:
        """JSON of an event; empty for one that is not kept any more."""
        found = self._events.get(number)
        return found.json() if found else ""

    def since(self, number: int) -> list[tuple[int, str]]:
        """Events from this number on, with their JSON: as many as fit into an answer."""
        return list(self._portion(number))

    def _portion(self, first: int) -> Iterator[tuple[int, str]]:
        room = PORTION
        for number, logged in self._events.items():
            if number < first:
                continue
            text = logged.json()
            room -= len(text)
            if room < 0 and room + len(text) < PORTION:
                return
            yield number, text

    def is_last(self, number: int) -> bool:
        """Whether the run is over, and this is its last event."""
        return self.state is RunState.ENDED and number >= self._newest

    # What it says of guests

    def _take(self, event: RunEvent) -> None:
        match event:
            case RunBegan(plan, trigger, run):
                self._begin(plan, trigger, run)
            case GuestAdded(plan):
                self._plan(plan)
            case GettingReady(guest):
                self._at(guest, "getting ready")
            case StepBegan(guest, step):
                self._at(guest, step)
            case Progress(guest, fraction, note):
                self._progressed(guest, fraction, note)
            case StepEnded(guest, step_result):
                self._at(guest, "waiting", step_result.reason)
            case GuestEnded(result):
                self._over(result)
            case RunEnded(result):
                self._end(result)

    def _begin(self, plan: Plan, trigger: Trigger, run: int | None) -> None:
        self.kind, self.trigger, self.run = plan.kind, trigger, run
        self.state, self._first = RunState.RUNNING, self._newest
        for guest in plan.guests:
            self._plan(guest)

    def _plan(self, plan: GuestPlan) -> None:
        self._at(plan.guest, plan.outcome or "waiting", plan.reason)

    def _at(self, guest: GuestFacts, doing: str, reason: str = "") -> None:
        self.guests[guest.id] = GuestLine(guest.name, str(doing), reason)

    def _progressed(self, guest: GuestFacts, fraction: float | None, note: str) -> None:
        line = self.guests.get(guest.id, GuestLine(guest.name, "waiting"))
        how_far = -1.0 if fraction is None else fraction
        self.guests[guest.id] = line._replace(reason=note, fraction=how_far)

    def _over(self, result: GuestResult) -> None:
        self.guests[result.guest] = GuestLine(result.name, str(result.outcome), result.why)

    def _end(self, result: RunResult) -> None:
        self.result, self.state = result, RunState.ENDED
        for guest in result.guests:
            self._over(guest)


def slim(event: RunEvent) -> RunEvent:
    """The event without what guests' XML says: nobody shows it, and it is long."""
    match event:
        case RunBegan(plan):
            return replace(event, plan=replace(plan, guests=tuple(map(_slim_plan, plan.guests))))
        case GuestAdded(plan):
            return replace(event, plan=_slim_plan(plan))
        case GettingReady() | StepBegan() | Progress() | StepEnded():
            return replace(event, guest=_slim_guest(event.guest))
    return event


def _slim_plan(plan: GuestPlan) -> GuestPlan:
    return replace(plan, guest=_slim_guest(plan.guest))


def _slim_guest(guest: GuestFacts) -> GuestFacts:
    return replace(guest, info=DomainInfo())


class RunLog:
    """The run under way and the newest that are over, by number.

    It is the Listener of the runs that nobody asked for, one after another; what others tell is
    given to `tell`.
    """

    def __init__(self) -> None:
        self.runs: dict[int, LoggedRun] = {}
        self._own: LoggedRun | None = None
        self._newest = 0
        #: Who is told of it all.
        self.on_event: OnEvent = lambda _run, _number: None

    @property
    def current(self) -> LoggedRun | None:
        """The newest that is under way."""
        under_way = (run for run in self.runs.values() if run.state is not RunState.ENDED)
        return max(under_way, key=lambda run: run.number, default=None)

    def show(self, run: LoggedRun) -> None:
        """From now on it is one of the runs; once it has begun that is so without this."""
        if run.number:
            return
        self._newest += 1
        run.number = self._newest
        self.runs[run.number] = run
        over = [one.number for one in self.runs.values() if one.state is RunState.ENDED]
        for number in over[:-KEPT]:
            del self.runs[number]
        self._say(run)

    def tell(self, run: LoggedRun, event: RunEvent) -> None:
        """The run tells this."""
        number = run.add(event)
        if isinstance(event, RunBegan):
            self.show(run)
        if run.number:
            self._say(run, number)

    def _say(self, run: LoggedRun, number: int = 0) -> None:
        """A fault in telling others must not end a run that takes guests to safety."""
        try:
            self.on_event(run, number)
        except Exception as error:  # noqa: BLE001 - said; the run goes on
            logger.error(f"internal error, nobody was told of a run's event: {error!r}")

    def fall_silent(self) -> None:
        """Nobody is told of anything any more."""
        self.on_event = lambda _run, _number: None

    def close(self, run: LoggedRun) -> None:
        """It is over, with a result or without."""
        if run.state is not RunState.ENDED:
            run.state = RunState.ENDED
            if run.number:
                self._say(run)

    def __call__(self, event: RunEvent) -> None:
        """An event of a run that the service does of itself."""
        if isinstance(event, RunBegan):
            if self._own is not None:
                self.close(self._own)
            self._own = LoggedRun(event.plan.kind, event.trigger)
        if self._own is None:
            return
        self.tell(self._own, event)
        if isinstance(event, RunEnded):
            self._own = None


def ended_json(run: LoggedRun) -> dict[str, Any]:
    """How it ended, as `shutdown --json` has it."""
    # Imported for who asks: the service that nobody asks has no memory to spare.
    from ..control.replies import result_json

    if run.result is not None:
        return result_json(run.result)
    nothing = RunResult(run.kind, run.run, (), interrupted=True)
    return result_json(nothing)
