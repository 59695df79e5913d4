"""Texts of errors, as others wrote them."""

from __future__ import annotations

import pytest

from guestctl.cli.exits import complain
from guestctl.model.ports import LONGEST_ERROR, ErrorKind, HypervisorError


def test_a_guests_agent_cannot_fill_journal_and_trail() -> None:
    """Seen: 3 MB of an agent's error, four times in the ledger for each preserve."""
    text = str(HypervisorError(ErrorKind.FAILED, "agent: " + "x" * 3_000_000 + ": end"))
    assert len(text) < LONGEST_ERROR + 100
    assert text.startswith("agent: x")
    assert " 2999012 characters " in text
    assert text.endswith(": end")


@pytest.mark.parametrize("length", [0, 1, LONGEST_ERROR])
def test_what_is_short_stays_as_it_is(length: int) -> None:
    assert str(HypervisorError(ErrorKind.FAILED, "x" * length)) == "x" * length


def test_what_a_terminal_would_obey_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no guest \x9b2J \u202egpj.exe \u2066 \x85 \x1b]0;t\x07 é")
    assert capsys.readouterr().err.splitlines() == [
        r"guestctl: no guest \x9b2J \u202egpj.exe \u2066 ",
        r"guestctl:  \x1b]0;t\x07 é",
    ]
