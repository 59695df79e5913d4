"""A run in the journal: who asked for it, and two lines for a guest with which all goes well."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from guestctl.config.config import Config
from guestctl.control import actions
from guestctl.control.local import open_local
from guestctl.control.run_journal import RunJournal
from guestctl.decisions.plan import plan_guest_down
from guestctl.host import journal, machine
from guestctl.model.history import Actor
from guestctl.model.plan import Outcome, Plan, RunKind, Step
from guestctl.model.report import GuestEnded, RunBegan, RunEnded, StepBegan, StepEnded
from guestctl.model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from tests.unit.command import TEST
from tests.unit.makers import guest, policy

ALICE = Actor("alice", "pts/0", "guestctl shutdown --preserve")


def told(caplog: pytest.LogCaptureFixture, journal: RunJournal, *ends: StepEnd) -> list[str]:
    """The lines of a run with one guest, whose steps end so."""
    caplog.set_level(logging.INFO, "guestctl")
    web = guest()
    journal(
        RunBegan(
            Plan(RunKind.PRESERVE, (plan_guest_down(RunKind.PRESERVE, web, policy()),)),
            Trigger.COMMAND,
            7,
        )
    )
    steps = tuple(
        StepResult(step, end, 2.0, "" if end is StepEnd.DONE else "no room")
        for step, end in zip((Step.SAVE, Step.SHUTDOWN), ends, strict=False)
    )
    for step in steps:
        journal(StepBegan(web, step.step, 90))
        journal(StepEnded(web, step))
    result = GuestResult(web.id, web.name, Outcome.SAVED, steps, 2.5)
    journal(GuestEnded(result))
    journal(RunEnded(RunResult(RunKind.PRESERVE, 7, (result,))))
    return [record.getMessage() for record in caplog.records]


def test_two_lines_for_a_guest_with_which_all_goes_well(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, RunJournal(), StepEnd.DONE) == [
        "preserve of 1 guest begins (command)",
        "web: save (at most 10min), then shutdown (at most 90s), then poweroff (at most 1min)",
        "web: saved after 2.5 s",
        "preserve ended well",
    ]


def test_what_goes_wrong_has_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, RunJournal(), StepEnd.FAILED, StepEnd.DONE)[2:-1] == [
        "web: save failed after 2.0 s: no room",
        "web: shutdown begins, at most 90s",
        "web: saved after 2.5 s",
    ]


def test_whose_command_it_is(caplog: pytest.LogCaptureFixture) -> None:
    lines = told(caplog, RunJournal(ALICE), StepEnd.DONE)
    who = "command, alice on pts/0: guestctl shutdown --preserve"
    assert lines[0] == f"preserve of 1 guest begins ({who})"
    fields = vars(caplog.records[0])
    assert (fields["GUESTCTL_USER"], fields["GUESTCTL_COMMAND"]) == ("alice", ALICE.command)


def test_what_a_command_does_reaches_the_journal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only the service's runs did."""
    sent: list[list[str]] = []
    monkeypatch.setattr("systemd.journal.sendv", lambda *fields: sent.append(_texts(fields)))
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path))
    monkeypatch.setattr(machine, "is_root", lambda: False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["guestctl", "hold", "test"])
    local = open_local(Config(), TEST, lambda _said: None)
    actions.hold(local, ["test"], "its disk")
    ((message, *fields),) = sent
    user = local.actor.user
    assert message.startswith(f"MESSAGE=test: held by {user}: its disk ({user}")
    assert f"GUESTCTL_USER={user}" in fields
    assert "GUESTCTL_COMMAND=guestctl hold test" in fields
    assert "GUESTCTL_GUEST=test" in fields


def _texts(fields: tuple[bytes, ...]) -> list[str]:
    return [field.decode() for field in fields]
