"""A run on a terminal: a table that keeps itself up to date, and stays whole at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..model.guest import GuestFacts, GuestId
from ..model.plan import GuestPlan, Outcome, RunKind
from ..model.report import (
    GuestAdded,
    GuestEnded,
    Progress,
    RunBegan,
    RunEvent,
    StepBegan,
    StepEnded,
    count_of_guests,
)
from ..model.result import GuestResult
from ..model.units import show_seconds
from .display import Display
from .tables import GAP, cut, cut_middle, name_width, padded, told_apart
from .text import printable

_WAITS = "waits"
_DOING = {
    RunKind.PRESERVE: "Preserving",
    RunKind.SHUTDOWN: "Shutting down",
    RunKind.RESTORE: "Bringing back",
}
_COLOURS = {Outcome.POWERED_OFF: "yellow", Outcome.GONE: "yellow", Outcome.SKIPPED: "dim"}
#: Widths of columns: the longest step or outcome; the bar with its per cent; times.
_STEP, _BAR, _LEFT, _ELAPSED = 11, 15, 11, 8
#: Below this there is no place for a bar.
_NARROW = 72


#: Before a step is that far, how fast it is tells nothing.
_TELLS = 0.05
#: So many seconds are no delay.
_NOT_LATE = 3.0


@dataclass
class _Row:
    guest: GuestId
    name: str
    kind: RunKind
    begun: float = field(default_factory=time.monotonic)
    step: str = _WAITS
    step_begun: float = field(default_factory=time.monotonic)
    ends: float | None = None
    fraction: float | None = None
    note: str = ""
    result: GuestResult | None = None

    @property
    def remaining(self) -> float:
        """The seconds that its step still takes, by how far that is; 0 where nobody can tell."""
        if self.result is not None or self.fraction is None or self.fraction < _TELLS:
            return 0.0
        return (time.monotonic() - self.step_begun) * (1 / self.fraction - 1)

    @property
    def reason(self) -> str:
        return printable(self.result.why if self.result else self.note)


class _LastingLive(Live):
    """A Live whose terminal may go away: that is no reason for a run to fail."""

    def start(self, refresh: bool = False) -> None:
        with contextlib.suppress(OSError):
            super().start(refresh)

    def refresh(self) -> None:
        with contextlib.suppress(OSError):
            super().refresh()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            super().stop()


class LiveTable(Display):
    """Guest, step, how far it is, time left of the step's limit, elapsed; reasons below."""

    follows_progress = True

    def __init__(self, console: Console | None = None) -> None:
        self._rows: dict[GuestId, _Row] = {}
        self._kind = RunKind.PRESERVE
        self._begun = time.monotonic()
        #: When the next event was, where that was told.
        self._moment: float | None = None
        self._limit: float | None = None
        self._expected: float | None = None
        self._console = console or Console(highlight=False)
        self._live = _LastingLive(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=8,
            transient=True,
        )

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What the screen had no room for is in the table that stays."""
        self._live.stop()
        with contextlib.suppress(OSError):
            if self._rows:
                self._console.print(self._whole(), no_wrap=True, overflow="crop")

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """See Display."""
        self._live.stop()
        try:
            yield
        finally:
            self._begun = time.monotonic()
            self._live.start()

    def as_of(self, moment: float) -> None:
        """The next event was then; the run began no later."""
        self._moment = moment
        self._begun = min(self._begun, moment)

    def __call__(self, event: RunEvent) -> None:
        super().__call__(event)
        match event:
            case RunBegan(plan, _, _, limit, expected):
                self._kind, self._limit, self._expected = plan.kind, limit, expected
                for guest in plan.guests:
                    self._add(guest)
            case GuestAdded(plan):
                self._add(plan)
            case StepBegan(guest, step, timeout):
                self._update(guest, None, "", step)
                row, now = self._row(guest.id, guest.name), self._now()
                row.step_begun, row.ends = now, now + timeout
            case Progress(guest, fraction, note):
                self._update(guest, fraction, note)
            case StepEnded(guest, result):
                self._update(guest, None, result.reason)
            case GuestEnded(result):
                self._row(result.guest, result.name).result = result

    def _add(self, plan: GuestPlan) -> None:
        self._rows[plan.guest.id] = _Row(plan.guest.id, plan.guest.name, self._kind, self._now())

    def _now(self) -> float:
        """When the event is that is just told."""
        return time.monotonic() if self._moment is None else self._moment

    def _update(
        self, guest: GuestFacts, fraction: float | None, note: str, step: str | None = None
    ) -> None:
        row = self._row(guest.id, guest.name)
        row.step, row.fraction, row.note = step or row.step, fraction, note

    def _row(self, guest: GuestId, name: str) -> _Row:
        return self._rows.setdefault(guest, _Row(guest, name, self._kind, self._now()))

    # What it looks like

    def _render(self) -> Text:
        """As much as the screen has room for.  Called by rich's own thread, several times a
        second."""
        rows = list(self._rows.values())
        if not rows:
            elapsed = show_seconds(time.monotonic() - self._begun)
            return Text(f"looking at the guests, {elapsed}", style="dim")
        room = max(3, self._console.size.height - 1)
        layout = self._layout(rows)
        lines = [self._title(rows), layout.heading]
        # Those still at work come first where not all fit on the screen.
        for place, row in enumerate(sorted(rows, key=_rank)):
            more = layout.of(row)
            rest = len(rows) - place
            if len(lines) + len(more) + (rest > 1) > room:
                lines.append(Text(f"… and {rest} more", style="dim"))
                break
            lines += more
        return Text("\n").join(lines)

    def _whole(self) -> Text:
        rows = list(self._rows.values())
        layout = self._layout(rows)
        lines = [self._title(rows), layout.heading]
        return Text("\n").join([*lines, *(line for row in rows for line in layout.of(row))])

    def _layout(self, rows: list[_Row]) -> _Layout:
        return _Layout(told_apart((row.guest, row.name) for row in rows), self._console.size.width)

    def _title(self, rows: list[_Row]) -> Text:
        over = sum(row.result is not None for row in rows)
        done = f"{_DOING[self._kind]} {count_of_guests(len(rows))}: {over} of {len(rows)} done"
        text = f"{done}, {show_seconds(time.monotonic() - self._begun)}{self._until(over, rows)}"
        return Text(cut(text, self._console.size.width), style="bold")

    def _until(self, over: int, rows: list[_Row]) -> str:
        """When it will end, and has to."""
        if over == len(rows):
            return ""
        elapsed = time.monotonic() - self._begun
        limit = "" if self._limit is None else f" of at most {show_seconds(self._limit)}"
        return limit + self._to_go(elapsed, rows)

    def _to_go(self, elapsed: float, rows: list[_Row]) -> str:
        """By what was expected as it began, and by how far saves are: the later of the two."""
        slowest = max((row.remaining for row in rows), default=0.0)
        left = max(slowest, 0.0 if self._expected is None else self._expected - elapsed)
        if self._limit is not None and elapsed + left > self._limit:
            return f"; will be {show_seconds(elapsed + left - self._limit)} late"
        if left > 0:
            return f"; about {show_seconds(left)} to go"
        over = 0.0 if self._expected is None else elapsed - self._expected
        return f"; {show_seconds(over)} later than expected" if over >= _NOT_LATE else ""


def _rank(row: _Row) -> int:
    """Those at work, those that wait, those that are through."""
    return 2 if row.result is not None else int(row.step == _WAITS)


class _Layout:
    """Where on a line what stands, on a terminal of this width."""

    def __init__(self, names: dict[GuestId, str], width: int) -> None:
        self._names, self._width = names, width
        self._name = name_width(["guest", *names.values()], width)
        self._has_bar = width >= _NARROW

    @property
    def heading(self) -> Text:
        """The first line."""
        bar = ["progress"] if self._has_bar else []
        return self._line(["guest", "step", *bar, "left", "elapsed"], ["dim"] * 5)

    def of(self, row: _Row) -> list[Text]:
        """One line, and one below for the reason."""
        step, style = _step(row)
        bar = [_bar(row)] if self._has_bar else []
        name = cut_middle(self._names[row.guest], self._name)
        lines = [self._line([name, step, *bar, _left(row), _elapsed(row)], ["", style])]
        if row.reason:
            lines.append(Text(cut(f"{GAP}{row.reason}", self._width), style="dim"))
        return lines

    def _line(self, cells: list[str], styles: list[str]) -> Text:
        widths = [self._name, _STEP, *([_BAR] if self._has_bar else []), _LEFT, _ELAPSED]
        line = Text(no_wrap=True, overflow="crop")
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            line.append(padded(cell, width), style=styles[place] if place < len(styles) else "")
            line.append(GAP if place + 1 < len(cells) else "")
        line.rstrip()
        return line


def _step(row: _Row) -> tuple[str, str]:
    """The word, and its colour."""
    if row.result is None:
        return row.step, "cyan" if row.step != _WAITS else "dim"
    outcome = row.result.outcome
    return outcome, "bold red" if row.result.is_bad(row.kind) else _COLOURS.get(outcome, "green")


def _bar(row: _Row) -> str:
    """Empty where nobody can tell: a full bar, or one that moves, would say something."""
    if row.result is not None or row.fraction is None:
        return ""
    full = round(row.fraction * 10)
    return f"{'#' * full}{'.' * (10 - full)} {row.fraction:4.0%}"


def _left(row: _Row) -> str:
    """Of the step's limit."""
    if row.result is not None or row.ends is None:
        return ""
    return show_seconds(max(0.0, row.ends - time.monotonic()))


def _elapsed(row: _Row) -> str:
    seconds = row.result.seconds if row.result else time.monotonic() - row.begun
    return show_seconds(seconds)
