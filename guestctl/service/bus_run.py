"""Runs on the bus: one that goes on, and the newest few; what they tell as they tell it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..control.interface import MANAGER, NO_RUN, ROOT, RUN, Needs
from ..host.bus_callers import Caller
from ..host.bus_errors import CallError, Standard
from ..host.bus_interface import Method
from ..model.plan import RunKind
from .bus_parts import Parts, Signals
from .bus_paths import run_path
from .run_log import LoggedRun, RunState, ended_json

#: Seconds between two PropertiesChanged of a run, at least.
PAUSE = 1.0


class Runs:
    """The objects of runs."""

    def __init__(self, parts: Parts, signals: Signals, on_run: Callable[[], None]) -> None:
        """on_run: called as a run begins or ends."""
        self._parts = parts
        self._signals = signals
        self._on_run = on_run
        #: What subscribers know of the run that they were told of last.
        self._known: tuple[int, dict[str, Any]] = 0, {}
        self._told_began = 0
        self._later: asyncio.TimerHandle | None = None
        parts.log.on_event = self._on_event

    def children(self) -> list[str]:
        """Names of the objects."""
        return [str(number) for number in self._parts.log.runs]

    def needs(self, number: int, method: Method) -> str:
        """What a caller must be allowed to: who may start guests may end the starting of them."""
        run = self._parts.log.runs.get(number)
        brings_up = run is not None and run.kind is RunKind.RESTORE
        return Needs.START if method.name == "Cancel" and brings_up else method.needs

    async def call(
        self, _caller: Caller, number: int, method: str, arguments: Sequence[Any]
    ) -> Sequence[Any]:
        """See Exported.call; CallError, RequestError."""
        run = self._run(number)
        if method == "Cancel":
            self._parts.asked.cancel(run)
            return ()
        events = run.since(arguments[0])
        newest = events[-1][0] if events else run.newest
        return events, run.is_last(newest)

    def properties(self, number: int) -> Mapping[str, Any]:
        """All of a run; CallError."""
        return _values(self._run(number))

    def current(self) -> str:
        """The path of the run under way."""
        run = self._parts.log.current
        return run_path(run.number) if run else NO_RUN

    def _run(self, number: int) -> LoggedRun:
        run = self._parts.log.runs.get(number)
        if run is None:
            text = f"there is no run {number}: it is the service's newest few that are here"
            raise CallError(Standard.UNKNOWN_OBJECT, text)
        return run

    # Signals

    def _on_event(self, run: LoggedRun, number: int) -> None:
        if run.state is RunState.ENDED:
            self._parts.answers.renew()  # what was read before the end is old
        if not self._signals.has_subscribers:
            self._known = 0, {}
            return
        path = run_path(run.number)
        if run.state is not RunState.PREPARING and self._told_began < run.number:
            self._told_began = run.number
            self._tell_manager("RunBegan", run)
        if number:
            self._signals.emit(path, RUN, "Event", number, run.event(number))
        if run.state is RunState.ENDED:
            self._say_changes(run)
            self._signals.emit(path, RUN, "Ended", run.ok, json.dumps(ended_json(run)))
            self._tell_manager("RunEnded", run, run.ok)
        elif self._later is None:
            self._say_changes(run)
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(PAUSE, self._say_later, run)

    def _tell_manager(self, signal: str, run: LoggedRun, *more: Any) -> None:
        about = (run_path(run.number), str(run.kind), str(run.trigger))
        self._signals.emit(ROOT, MANAGER, signal, *about, *more)
        self._on_run()

    def _say_later(self, run: LoggedRun) -> None:
        self._later = None
        if run.state is not RunState.ENDED:
            self._say_changes(run)

    def _say_changes(self, run: LoggedRun) -> None:
        number, before = self._known
        known = before if number == run.number else {}
        values = _values(run)
        self._known = run.number, values
        if changed := RUN.changes(known, values):
            self._signals.changed(run_path(run.number), RUN, changed)


def _values(run: LoggedRun) -> dict[str, Any]:
    actor = run.actor
    return {
        "Number": run.run or 0,
        "Kind": str(run.kind),
        "Trigger": str(run.trigger),
        "User": actor.user if actor else "",
        "Origin": (actor.origin or "") if actor else "",
        "Command": actor.command if actor else "",
        "Began": run.began,
        "State": str(run.state),
        "Ok": run.ok,
        "Guests": [tuple(line) for line in run.guests.values()],
    }
