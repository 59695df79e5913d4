"""What a run looks like while it goes on: a live table, plain lines, or nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..model.guest import GuestFacts, GuestId
from ..model.plan import GuestPlan, Outcome, RunKind, is_bad
from ..model.report import (
    GuestAdded,
    GuestEnded,
    Progress,
    RunBegan,
    RunEvent,
    StepBegan,
    StepEnded,
    Trouble,
    count_of_guests,
)
from ..model.result import GuestResult, StepEnd
from ..model.units import show_duration
from .exits import complain
from .text import printable


class Display:
    """Listens to a run, and shows nothing but trouble; the base of the other displays.

    follows_progress: whether how far saves are is shown.
    """

    follows_progress = False

    def __call__(self, event: RunEvent) -> None:
        """Show it."""
        if isinstance(event, Trouble):
            complain(printable(event.message))


@contextlib.contextmanager
def choose_display(arguments: Namespace) -> Iterator[Display]:
    """The display that suits the options and where stdout goes."""
    if arguments.json or arguments.quiet:
        yield Display()
    elif sys.stdout is not None and sys.stdout.isatty():
        with LiveTable() as table:
            yield table
    else:
        yield Lines()


class Lines(Display):
    """A line for each thing that happens, for pipes and the journal."""

    def __call__(self, event: RunEvent) -> None:
        super().__call__(event)
        match event:
            case RunBegan(plan, trigger):
                self._line(f"{plan.kind} of {count_of_guests(len(plan.guests))} ({trigger})")
            case GuestAdded(plan):
                self._line(f"{plan.guest.name}: came up meanwhile")
            case StepBegan(guest, step, timeout):
                self._line(f"{guest.name}: {step} begins, at most {show_duration(timeout)}")
            case StepEnded(guest, result) if result.end is not StepEnd.DONE:
                self._line(f"{guest.name}: {result.step} {result.end}: {result.reason}")
            case GuestEnded(result):
                self._line(_ending(result))

    def _line(self, text: str) -> None:
        # Whoever read our output may be gone (a closed file is a ValueError): the run goes on.
        with contextlib.suppress(OSError, ValueError):
            print(printable(text), flush=True)


def _ending(result: GuestResult) -> str:
    took = f"{result.outcome} after {result.seconds:.1f} s"
    if not result.reason:
        return f"{result.name}: {took}"
    return f"{result.name}: {took}: {result.reason}"


@dataclass
class _Row:
    name: str
    kind: RunKind
    begun: float = field(default_factory=time.monotonic)
    step: str = "waits"
    fraction: float | None = None
    note: str = ""
    result: GuestResult | None = None


_DOING = {
    RunKind.PRESERVE: "Preserving",
    RunKind.SHUTDOWN: "Shutting down",
    RunKind.RESTORE: "Bringing back",
}
_COLOURS = {Outcome.POWERED_OFF: "yellow", Outcome.GONE: "yellow", Outcome.SKIPPED: "dim"}


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
    """A table that keeps itself up to date: guest, step, progress, elapsed, reason."""

    follows_progress = True

    def __init__(self, console: Console | None = None) -> None:
        self._rows: dict[GuestId, _Row] = {}
        self._title = ""
        self._kind = RunKind.PRESERVE
        self._console = console or Console()
        self._live = _LastingLive(
            console=self._console, get_renderable=self._render, refresh_per_second=8
        )

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: RunEvent) -> None:
        super().__call__(event)
        match event:
            case RunBegan(plan):
                self._kind = plan.kind
                self._title = f"{_DOING[plan.kind]} {count_of_guests(len(plan.guests))}"
                for guest in plan.guests:
                    self._add(guest)
            case GuestAdded(plan):
                self._add(plan)
            case StepBegan(guest, step):
                self._update(guest, None, "", step)
            case Progress(guest, fraction, note):
                self._update(guest, fraction, note)
            case StepEnded(guest, result):
                self._update(guest, None, result.reason)
            case GuestEnded(result):
                self._row(result.guest, result.name).result = result

    def _add(self, plan: GuestPlan) -> None:
        self._rows[plan.guest.id] = _Row(plan.guest.name, self._kind)

    def _update(
        self, guest: GuestFacts, fraction: float | None, note: str, step: str | None = None
    ) -> None:
        row = self._row(guest.id, guest.name)
        row.step, row.fraction, row.note = step or row.step, fraction, note

    def _row(self, guest: GuestId, name: str) -> _Row:
        return self._rows.setdefault(guest, _Row(name, self._kind))

    def _render(self) -> RenderableType:
        """Called by rich's own thread, several times a second."""
        rows = list(self._rows.values())
        room = max(3, self._console.size.height - 4)
        # Those still at work come first where not all fit on the screen.
        shown = rows if len(rows) <= room else sorted(rows, key=_is_over)[:room]
        over = sum(row.result is not None for row in rows)
        title = Text(f"{self._title}: {over} of {len(rows)} done", style="bold")
        return Group(title, _table(shown))


def _is_over(row: _Row) -> bool:
    return row.result is not None


def _table(rows: list[_Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, width in (("guest", None), ("step", 11), ("progress", 22), ("elapsed", 8)):
        table.add_column(heading, width=width, no_wrap=True)
    table.add_column("reason", overflow="fold")
    for row in rows:
        table.add_row(
            Text(printable(row.name)), _step(row), _bar(row), _elapsed(row), Text(_reason(row))
        )
    return table


def _step(row: _Row) -> Text:
    if row.result is None:
        return Text(row.step, style="cyan" if row.step != "waits" else "dim")
    bad = is_bad(row.kind, row.result.outcome)
    style = "bold red" if bad else _COLOURS.get(row.result.outcome, "green")
    return Text(row.result.outcome, style=style)


def _bar(row: _Row) -> RenderableType:
    if row.result is not None or row.step == "waits":
        return ""
    if row.fraction is None:
        return ProgressBar(total=None, pulse=True, width=20)
    return ProgressBar(total=1.0, completed=row.fraction, width=20)


def _elapsed(row: _Row) -> str:
    seconds = row.result.seconds if row.result else time.monotonic() - row.begun
    return f"{seconds:6.1f} s"


def _reason(row: _Row) -> str:
    return printable(row.result.reason if row.result else row.note)
