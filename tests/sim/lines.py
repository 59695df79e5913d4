"""The lines of a story: each moment in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatchmethod

from guestctl.model.plan import GuestPlan, describe
from guestctl.model.report import GuestAdded, GuestEnded, RunBegan, StepEnded, Trouble
from guestctl.model.result import RunResult
from guestctl.model.units import show_duration

from .telling import (
    Became,
    Commanded,
    CommandEnded,
    Happened,
    Moment,
    Remembered,
    What,
)

#: The kind of a line about what became of a guest in truth.
TRUTH = "truth"


@dataclass(frozen=True)
class Line:
    """A line of the story; guest is empty where it is about none.

    trail: source and reason that the guest's trail has for it, if it has any.
    clock_error: by how many seconds the clock was wrong when that was written.
    """

    time: float
    kind: str
    guest: str
    text: str
    trail: tuple[str, str] = ("", "")
    in_trail: bool = False
    clock_error: float = 0.0


class Speaker:
    """Makes lines of moments; knows the run that is going on, for what its trails say."""

    def __init__(self) -> None:
        self._source = self._trigger = ""

    def lines(self, moment: Moment) -> list[Line]:
        """The moment's, mostly one."""
        return list(self._say(moment.what, moment.time))

    @singledispatchmethod
    def _say(self, what: What, time: float) -> Iterator[Line]:
        raise TypeError(f"cannot tell of {what!r}")

    @_say.register
    def _(self, what: Commanded, time: float) -> Iterator[Line]:
        yield Line(time, "command", "", what.deed)

    @_say.register
    def _(self, what: Happened, time: float) -> Iterator[Line]:
        yield Line(time, "event", "", what.deed)

    @_say.register
    def _(self, what: CommandEnded, time: float) -> Iterator[Line]:
        if isinstance(what.result, RunResult):
            lost = what.result.lost.items()
            yield from (Line(time, "lost", "", because(uri, reason)) for uri, reason in lost)
            yield Line(time, "end", "", f"{_success(what.result)}, {duration(what.seconds)}")
        else:
            yield Line(time, "end", "", what.result)

    @_say.register
    def _(self, what: RunBegan, time: float) -> Iterator[Line]:
        self._source, self._trigger = f"guestctl:{what.plan.kind}", str(what.trigger)
        yield Line(time, "run", "", f"{what.plan.kind} ({what.trigger})")
        yield from (self._plan("plan", plan, time) for plan in what.plan.guests)

    @_say.register
    def _(self, what: GuestAdded, time: float) -> Iterator[Line]:
        yield self._plan("added", what.plan, time)

    def _plan(self, kind: str, plan: GuestPlan, time: float) -> Line:
        text = describe(plan)
        trail = self._source, f"{self._trigger}: {text}"
        return Line(time, kind, plan.guest.name, text, trail)

    @_say.register
    def _(self, what: StepEnded, time: float) -> Iterator[Line]:
        result = what.result
        head = f"{result.step} {result.end}"
        text = because(f"{head}, {duration(result.seconds)}", result.reason)
        trail = self._source, because(head, result.reason)
        yield Line(time, "step", what.guest.name, text, trail)

    @_say.register
    def _(self, what: GuestEnded, time: float) -> Iterator[Line]:
        result = what.result
        text = because(f"{result.outcome}, {duration(result.seconds)}", result.why)
        trail = self._source, because(result.outcome, result.why)
        yield Line(time, "outcome", result.name, text, trail)

    @_say.register
    def _(self, what: Trouble, time: float) -> Iterator[Line]:
        yield Line(time, "trouble", "", what.message)

    @_say.register
    def _(self, what: Remembered, time: float) -> Iterator[Line]:
        kind, trail = what.source.removeprefix("guestctl:"), (what.source, what.reason)
        yield Line(time, kind, what.guest, what.reason, trail, True, what.clock_error)

    @_say.register
    def _(self, what: Became, time: float) -> Iterator[Line]:
        text = because(f"{what.entry.fate} by {what.entry.by}", what.entry.wrong)
        yield Line(time, TRUTH, what.guest, text)


def because(text: str, reason: str) -> str:
    """With the reason, if there is one."""
    return f"{text}: {reason}" if reason else text


def duration(seconds: float) -> str:
    """To the hundredth of a second: virtual time adds up floats."""
    return show_duration(round(seconds, 2))


def _success(result: RunResult) -> str:
    return ("ok" if result.ok else "not ok") + (", interrupted" if result.interrupted else "")
