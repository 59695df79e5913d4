"""What is printed beside the live table: which display, text that is safe, the end of a run."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from typing import Any

import pytest
from hypothesis import given

from guestctl.cli.display import Display, Lines
from guestctl.cli.results import print_result, summary
from guestctl.cli.screen import choose_display
from guestctl.cli.text import print_table, printable
from guestctl.control.replies import result_json
from guestctl.model.plan import Outcome, RunKind, Step
from guestctl.model.result import GuestResult, RunResult, StepEnd, StepResult
from tests.unit.makers import guest_id, texts

# Which display


@pytest.mark.parametrize(
    ("json", "quiet", "stdout", "expected"),
    [
        (False, False, io.StringIO(), Lines),
        (True, False, io.StringIO(), Display),
        (False, True, io.StringIO(), Display),
        (False, False, None, Display),
    ],
)
def test_which_display(
    monkeypatch: pytest.MonkeyPatch, json: bool, quiet: bool, stdout: Any, expected: type[Display]
) -> None:
    """A closed stdout is None in Python: a unit or a cron job may well run that way."""
    monkeypatch.setattr(sys, "stdout", stdout)
    with choose_display(Namespace(json=json, quiet=quiet)) as display:
        assert isinstance(display, expected)


# Text


@given(texts)
def test_printable_text_has_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


def test_what_is_printable_stays_as_it_is() -> None:
    assert printable("gäst [bold] & 'q' \\ 日本") == "gäst [bold] & 'q' \\ 日本"
    assert printable("\udcff\t\u202e") == "\\udcff\\t\\u202e"


def test_a_table_for_a_pipe_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("x" * 500, "[bold]\x1b[2J"), ("y" * 700, "z")])
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    assert "x" * 500 in out[1]
    assert "[bold]\\x1b[2J" in out[1]
    assert "y" * 700 in out[2]


# The end of a run


def results(*outcomes: Outcome, **differs: Any) -> RunResult:
    """A run that ended so."""
    guests = tuple(
        GuestResult(guest_id(n), f"g{n}", outcome, reason="\x1b[2J")
        for n, outcome in enumerate(outcomes)
    )
    return RunResult(RunKind.PRESERVE, 1, guests, **differs)


def test_a_summary_counts() -> None:
    assert summary(results()) == "no guest to act on"
    assert summary(results(Outcome.SAVED)) == "1 guest: 1 saved"
    ended = results(Outcome.FAILED, Outcome.SAVED, Outcome.SAVED)
    assert summary(ended) == "3 guests: 2 saved, 1 failed"


def test_what_went_wrong_is_told_on_stderr_even_when_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = results(Outcome.SAVED, Outcome.FAILED, Outcome.UNKNOWN, interrupted=True)
    print_result(ended, Namespace(json=False, quiet=True))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "guestctl: g1: failed: \\x1b[2J",
        "guestctl: g2: unknown: \\x1b[2J",
        "guestctl: the run was interrupted",
    ]


def test_the_object_for_programs() -> None:
    step = StepResult(Step.SAVE, StepEnd.DONE, 1.23456)
    guests = (GuestResult(guest_id(), "web", Outcome.SAVED, (step,), 2.34567, ""),)
    lost = {"qemu:///system": "no answer"}
    assert result_json(RunResult(RunKind.PRESERVE, 7, guests, lost)) == {
        "ok": False,
        "run": 7,
        "interrupted": False,
        "unreadable": lost,
        "guests": [
            {
                "name": "web",
                "uuid": guest_id().uuid,
                "uri": guest_id().uri,
                "outcome": "saved",
                "seconds": 2.346,
                "reason": "",
                "unready": None,
                "steps": [{"step": "save", "end": "done", "seconds": 1.235, "reason": ""}],
            }
        ],
    }
