"""What is told of a scenario, as values, in the order in which it happened.

Four tell of it: the scenario itself (commands and happenings), the reports of runs, the reason
trails, and the chronicle of what truly became of the guests.  Each remembers in its own place;
a Chronicler listens to all before anything is commanded or happens, so that what
was told until then stands before it, also within one instant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from guestctl.model.guest import GuestId
from guestctl.model.history import TrailEvent
from guestctl.model.report import GuestAdded, GuestEnded, RunBegan, StepEnded, Trouble
from guestctl.model.result import RunResult

from .chronicle import Entry
from .world import BASE_NS, Recorder, SimHost


@dataclass(frozen=True)
class Commanded:
    """A command begins."""

    deed: str


@dataclass(frozen=True)
class Happened:
    """Something befalls the host."""

    deed: str


@dataclass(frozen=True)
class CommandEnded:
    """A command ends after so many seconds; result: a run's, or what was said instead of one."""

    result: RunResult | str
    seconds: float


@dataclass(frozen=True)
class Remembered:
    """A line of a guest's trail; clock_error: by how many seconds the host's clock was wrong."""

    guest: str
    source: str
    reason: str
    clock_error: float


@dataclass(frozen=True)
class Became:
    """What became of a guest in truth, whether or not guestctl knows."""

    guest: str
    entry: Entry


#: What a run says that is told; the rest only goes to show that it goes on.
Reported = RunBegan | GuestAdded | StepEnded | GuestEnded | Trouble
What = Commanded | Happened | CommandEnded | Reported | Remembered | Became


@dataclass(frozen=True)
class Moment:
    """Something at its virtual time."""

    time: float
    what: What


class Chronicler:
    """Puts down what is told, in chapters: each is one command's, to the beginning of the next."""

    def __init__(self, host: SimHost) -> None:
        self.chapters: list[list[Moment]] = [[]]
        self._host = host
        self._report = Recorder()
        self._heard = self._trail_lines = self._entries = 0
        #: As they were when last heard of, also of guests that are gone.
        self._names: dict[GuestId, str] = {}
        self._learn_names()

    def begin_chapter(self) -> None:
        """What is told from now on belongs to the next command."""
        self.listen()
        self.chapters.append([])

    def follow(self, report: Recorder) -> None:
        """Another process of guestctl has begun."""
        self._report, self._heard = report, 0

    def process_is_gone(self) -> None:
        """Killed, it tells nothing more: what its tasks still report is the simulation's own."""
        self.follow(Recorder())

    def tell(self, what: Commanded | Happened | CommandEnded) -> None:
        """This is about to be, now."""
        self.listen()
        self._add(Moment(asyncio.get_running_loop().time(), what))

    def listen(self) -> None:
        """Put down what was told since this was last called."""
        self._learn_names()
        for moment in (*self._report_news(), *self._trail_news(), *self._chronicle_news()):
            self._add(moment)

    def _learn_names(self) -> None:
        self._names |= {guest.id: guest.name for guest in self._host.guests()}

    def _add(self, moment: Moment) -> None:
        self.chapters[-1].append(moment)

    def _report_news(self) -> Iterator[Moment]:
        told = self._report.events[self._heard :]
        self._heard += len(told)
        for time, event in told:
            if isinstance(event, Reported):
                yield Moment(time, event)

    def _trail_news(self) -> Iterator[Moment]:
        for event in self._host.ledger.trail.since(self._trail_lines):
            self._trail_lines = event.number
            yield self._remembered(event)

    def _remembered(self, event: TrailEvent) -> Moment:
        """A jump of the clock is told before it is made: it was as wrong then as it is now."""
        error, entry = self._host.clock_jump, event.entry
        what = Remembered(
            self._names.get(event.guest, event.name), entry.source, entry.reason, error
        )
        return Moment((entry.at - BASE_NS) / 10**9 - error, what)

    def _chronicle_news(self) -> Iterator[Moment]:
        entries = self._host.chronicle()
        for entry in entries[self._entries :]:
            # One may have come and gone between two looks, or with a whole boot.
            name = self._names.get(entry.guest) or self._host.name_of(entry.guest)
            yield Moment(entry.time, Became(name, entry))
        self._entries = len(entries)
