"""What a run looks like: harmless whatever guests are called, and never in the run's way."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rich.console import Console

from guestctl.cli.display import Display, Lines
from guestctl.cli.exits import complain
from guestctl.cli.live_table import LiveTable
from guestctl.cli.text import printable
from guestctl.decisions.plan import plan_guest_down
from guestctl.model.plan import Outcome, Plan, RunKind, Step
from guestctl.model.report import (
    GuestAdded,
    GuestEnded,
    Progress,
    RunBegan,
    StepBegan,
    StepEnded,
    Trouble,
)
from guestctl.model.result import GuestResult, StepEnd, StepResult, Trigger
from tests.unit.makers import guest, guest_id, policy
from tests.unit.terminals import python

NASTY = ["[bold]x[/bold]", "[/]", "\x1b[2J", "\x1b]0;title\x07", "a\nb", "\u202egnp", "\r", "\x9b"]
#: What a table needs to draw itself, and may do with the cursor, is not what a name may do.
STYLE = re.compile(r"\x1b\[[0-9;]*m")
CLEAR_SCREEN, SET_TITLE = "\x1b[2J", "\x1b]0;"


def go_through(display: Display, name: str, number: int = 1) -> None:
    """All that a run can tell of one guest."""
    one = guest(name, number)
    plan = plan_guest_down(RunKind.PRESERVE, one, policy())
    display(RunBegan(Plan(RunKind.PRESERVE, (plan,)), Trigger.COMMAND))
    display(GuestAdded(plan))
    display(StepBegan(one, Step.SAVE, 600))
    display(Progress(one, 0.5, f"note of {name}"))
    display(StepEnded(one, StepResult(Step.SAVE, StepEnd.FAILED, 1.0, f"reason of {name}")))
    reason = f"why {name} failed"
    display(GuestEnded(GuestResult(one.id, name, Outcome.FAILED, seconds=2.0, reason=reason)))


def recorded(width: int = 160, height: int = 25) -> tuple[LiveTable, io.StringIO]:
    """A live table and what it draws."""
    drawn = io.StringIO()
    console = Console(
        file=drawn,
        force_terminal=True,
        width=width,
        height=height,
        legacy_windows=False,
        _environ={},
    )
    return LiveTable(console), drawn


# Lines


def test_a_line_for_each_thing_that_happens(capsys: pytest.CaptureFixture[str]) -> None:
    go_through(Lines(), "web")
    assert capsys.readouterr().out.splitlines() == [
        "preserve of 1 guest (command)",
        "web: came up meanwhile",
        "web: save begins, at most 10min",
        "web: save failed: reason of web",
        "web: failed after 2.0 s: why web failed",
    ]


def test_a_step_that_worked_needs_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    Lines()(StepEnded(guest(), StepResult(Step.SAVE, StepEnd.DONE, 1.0)))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", NASTY)
def test_lines_show_a_nasty_name_harmlessly(capsys: pytest.CaptureFixture[str], name: str) -> None:
    go_through(Lines(), name)
    out = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in out)
    assert out.count("\n") == 5
    assert printable(name) in out


# The live table


def test_the_live_table_shows_guest_step_elapsed_and_reason() -> None:
    table, drawn = recorded()
    with table:
        go_through(table, "web")
    text = drawn.getvalue()
    assert "Preserving 1 guest: 1 of 1 done" in text
    assert "failed" in text
    assert "2.0s" in text
    assert "why web failed" in text


def test_before_a_run_begins_nothing_is_said_of_its_guests() -> None:
    table, drawn = recorded()
    assert drawn_lines(table, drawn) == ["looking at the guests, 0.0s"]


def test_it_keeps_off_the_terminal_while_somebody_asks_there() -> None:
    table, drawn = recorded()
    with table:
        with table.away():
            before = drawn.getvalue()
            time.sleep(0.3)
            assert drawn.getvalue() == before
        go_through(table, "web")
    assert "why web failed" in drawn.getvalue()


def test_a_run_that_is_shown_late_has_its_own_times() -> None:
    """As by `attach`: all that it did so far comes at once."""
    table, drawn = recorded()
    now, one = time.monotonic(), guest("web")
    plan = Plan(RunKind.PRESERVE, (plan_guest_down(RunKind.PRESERVE, one, policy()),))
    table.as_of(now - 200)
    table(RunBegan(plan, Trigger.COMMAND, limit=300))
    table.as_of(now - 80)
    table(StepBegan(one, Step.SAVE, 100))
    title, _, web = drawn_lines(table, drawn)
    assert re.search(r"3min 2\ds of at most 5min", title)
    assert re.fullmatch(r"web +save +(20|1\d)s +3min 2\ds", web)


@pytest.mark.parametrize("name", NASTY)
def test_the_live_table_shows_a_nasty_name_harmlessly(name: str) -> None:
    table, drawn = recorded()
    with table:
        go_through(table, name)
    text = drawn.getvalue()
    assert printable(name) in text
    assert CLEAR_SCREEN not in text
    assert SET_TITLE not in text
    assert not set(text) & set("\x9b\u202e\x07")


def drawn_lines(table: LiveTable, drawn: io.StringIO) -> list[str]:
    """The table as it is now, line by line."""
    drawn.seek(0)
    drawn.truncate()
    table._console.print(table._render())  # what its own thread does several times a second
    return STYLE.sub("", drawn.getvalue()).splitlines()


def test_a_thousand_guests_fit_the_screen_and_those_at_work_come_first() -> None:
    table, drawn = recorded(height=25)
    plans = [
        plan_guest_down(RunKind.PRESERVE, guest(f"guest-{n}", n), policy()) for n in range(1000)
    ]
    table(RunBegan(Plan(RunKind.PRESERVE, tuple(plans)), Trigger.HOST_STOP))
    for n in range(999):
        result = GuestResult(guest_id(n), f"guest-{n}", Outcome.SAVED, seconds=1.0)
        table(GuestEnded(result))
    lines = drawn_lines(table, drawn)
    assert 10 < len(lines) <= 25
    assert "999 of 1000 done" in lines[0]
    assert "guest-999" in lines[2]


@pytest.mark.parametrize("height", [1, 2, 5])
def test_a_tiny_terminal_is_no_error(height: int) -> None:
    table, drawn = recorded(width=20, height=height)
    for n in range(10):
        go_through(table, f"guest-{n}", n)
    assert drawn_lines(table, drawn)


def test_a_guest_that_was_never_announced_gets_its_row() -> None:
    table, drawn = recorded()
    table(Progress(guest("late"), None, "asked 1 times"))
    assert [line.split()[0] for line in drawn_lines(table, drawn)[2:]] == ["late", "asked"]


LONG = "a" * 40 + "-" + "b" * 28


def test_at_80_columns_a_long_name_is_cut_in_the_middle_and_all_columns_are_there() -> None:
    """Its steps were "s…", and elapsed and reason were gone."""
    table, drawn = recorded(width=80)
    one = guest(LONG)
    table(Progress(one, 0.45, "why " * 40))
    table(StepBegan(one, Step.SAVE, 600.0))
    table(Progress(one, 0.45, "why " * 40))
    _, heading, line, reason = drawn_lines(table, drawn)
    assert heading.split() == ["guest", "step", "progress", "left", "elapsed"]
    name, step, bar, percent, left, *_ = line.split()
    assert (len(name), name[:13], name[13], name[14:]) == (26, "a" * 13, "…", "b" * 12)
    assert (step, bar, percent, left) == ("save", "####......", "45%", "10min")
    assert reason.startswith("  why why")
    assert reason.endswith("…")
    assert max(map(len, (heading, line, reason))) <= 80


def test_how_far_it_is_stays_empty_where_nobody_can_tell() -> None:
    """Without colours a bar that only moves looked full."""
    table, drawn = recorded(width=80)
    table(StepBegan(guest(), Step.SAVE, 600.0))
    assert "#" not in drawn_lines(table, drawn)[2]


def test_the_title_has_the_deadline_and_the_expected_end() -> None:
    table, drawn = recorded(width=80)
    plan = plan_guest_down(RunKind.PRESERVE, guest(), policy())
    table(RunBegan(Plan(RunKind.PRESERVE, (plan,)), Trigger.COMMAND, 1, 210.0, 40.0))
    title = drawn_lines(table, drawn)[0]
    assert title.startswith("Preserving 1 guest: 0 of 1 done, 0.")
    assert title.endswith("of at most 3min 30s; about 40s to go")


def test_the_title_says_when_the_run_will_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("guestctl.cli.live_table.time", clock)
    table, drawn = recorded(width=80)
    plan = plan_guest_down(RunKind.PRESERVE, guest(), policy())
    table(RunBegan(Plan(RunKind.PRESERVE, (plan,)), Trigger.COMMAND, 1, 90.0, 40.0))
    table(StepBegan(guest(), Step.SAVE, 600.0))
    for seconds, fraction, said in (
        (20.0, 0.4, "about 30s to go"),
        (30.0, 0.25, "will be 30s late"),
        (50.0, None, "10s later than expected"),
    ):
        now[0] = 1000.0 + seconds
        table(Progress(guest(), fraction))
        assert drawn_lines(table, drawn)[0].endswith(f"of at most 90s; {said}")


def test_two_guests_of_one_name_are_told_apart() -> None:
    table, drawn = recorded(width=80)
    for uri in ("qemu:///system", "lxc:///"):
        table(StepBegan(guest("web", id=guest_id(uri=uri)), Step.SAVE, 600.0))
    assert [line.split("  ")[0] for line in drawn_lines(table, drawn)[2:]] == [
        "web (qemu:///system)",
        "web (lxc:///)",
    ]


def test_guests_beyond_the_screen_are_counted_and_are_in_the_table_that_stays() -> None:
    table, drawn = recorded(width=80, height=10)
    for n in range(30):
        table(StepBegan(guest(f"guest-{n}", n), Step.SAVE, 600.0))
    lines = drawn_lines(table, drawn)
    assert (len(lines), lines[-1]) == (9, "… and 24 more")
    with table:
        for n in range(30):
            table(GuestEnded(GuestResult(guest_id(n), f"guest-{n}", Outcome.SAVED)))
    last = drawn.getvalue().rpartition("Preserving")[2]
    assert all(f"guest-{n} " in last for n in range(30))


_RUN = """
from argparse import Namespace
from guestctl.cli.screen import choose_display
from guestctl.model.plan import Step
from guestctl.model.report import StepBegan
from tests.unit.makers import guest
with choose_display(Namespace(json=False, quiet=False)) as display:
    print(type(display).__name__)
    display(StepBegan(guest(), Step.SAVE, 600.0))
"""


@pytest.mark.parametrize(
    ("env", "expected"),
    [({"TERM": "dumb"}, "Lines"), ({"TERM": ""}, "Lines"), ({"NO_COLOR": "1"}, "LiveTable")],
)
def test_a_dumb_terminal_gets_lines(env: dict[str, str], expected: str) -> None:
    """It showed nothing until the run was over."""
    said = python(_RUN, env=env)
    assert expected in said
    assert ("web: save begins, at most 10min" in said) == (expected == "Lines")
    assert "\x1b[3" not in said  # no colour


# A terminal that goes away


class Gone(io.StringIO):
    """A terminal that has been closed."""

    def __init__(self, works_for: int = 0) -> None:
        super().__init__()
        self._left = works_for

    def write(self, text: str) -> int:
        self._left -= 1
        if self._left < 0:
            raise OSError(5, "Input/output error")
        return super().write(text)

    def flush(self) -> None:
        if self._left < 0:
            raise OSError(5, "Input/output error")


@pytest.mark.parametrize("works_for", [0, 1, 3, 8])
def test_a_terminal_that_went_away_does_not_stop_the_live_table(works_for: int) -> None:
    console = Console(file=Gone(works_for), force_terminal=True, width=80, height=25, _environ={})
    with LiveTable(console) as table:
        go_through(table, "web")
        table._live.stop()  # its thread draws when it likes; this draws now
    assert table._rows[guest_id()].result is not None


DISPLAYS: list[Callable[[], Display]] = [Display, Lines]


@pytest.mark.parametrize("make", DISPLAYS)
def test_streams_that_went_away_do_not_stop_a_run(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], Display]
) -> None:
    """model/report.py: whoever listens must not raise."""
    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Gone())
    display = make()
    go_through(display, "web")
    display(Trouble("the connection broke"))
    assert isinstance(display, Display)


def test_trouble_is_told_even_when_all_else_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Display()(Trouble("web: \x1b[2J broke\ntwice"))
    assert capsys.readouterr().err == "guestctl: web: \\x1b[2J broke\\ntwice\n"


def test_each_line_of_a_complaint_is_guestctls(capsys: pytest.CaptureFixture[str]) -> None:
    complain("one\ntwo")
    assert capsys.readouterr().err == "guestctl: one\nguestctl: two\n"
