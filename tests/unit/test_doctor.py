"""The doctor: its table of checks, what is not known, what it prints."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.last_good import Loaded
from guestctl.control.doctor import facts
from guestctl.control.doctor.examining import Examined, doctor, finding_json
from guestctl.control.doctor.facts import PARTS as GATHERED
from guestctl.control.doctor.facts import Part, host_state
from guestctl.control.local import Local
from guestctl.decisions.check import Check
from guestctl.decisions.doctor import CHECKS, NOT_KNOWN, examine
from guestctl.decisions.host_state import PARTS, HostState
from guestctl.model.finding import Finding, Severity
from guestctl.model.guest import GuestId
from guestctl.model.host_state import NotKnown, NotSeen, known
from tests.package import PROJECT
from tests.unit.command import TEST, Command
from tests.unit.healthy import healthy
from tools import doctor_reference

TEST_URI = "test:///default"


def row(name: str, *found: Finding, severity: Severity = Severity.WARNING, **more: Any) -> Check:
    return Check(name, severity, "it", "bad", "mend it", lambda _state: found, **more)


def needs_units(state: HostState) -> Iterator[Finding]:
    yield Finding("seen before")
    known(state.units)
    yield Finding("seen after")


# The table


def test_nothing_is_found_on_a_host_on_which_all_is_well() -> None:
    assert examine(healthy()) == []


def test_names_are_stable_words_and_each_stands_once() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z]+(-[a-z]+)*", name)] == []
    assert NOT_KNOWN not in names


def test_every_part_of_the_state_is_gathered() -> None:
    assert {"facts", *(part.name for part in GATHERED)} == set(PARTS)


def test_cheap_checks_need_cheap_parts_alone() -> None:
    expensive = [part.name for part in GATHERED if not part.cheap]
    unseen = {name: NotKnown(name, "not gathered") for name in expensive}
    assert examine(healthy(**unseen), cheap_only=True) == []


def test_the_page_is_as_its_tool_writes_it() -> None:
    text = (PROJECT / doctor_reference.PAGE).read_text()
    assert doctor_reference.page(text) == text


# What checks find


def test_what_is_worst_comes_first_and_says_which_check_found_it() -> None:
    checks = (
        row("note", Finding("a note"), severity=Severity.NOTE),
        row("bad", Finding("bad"), severity=Severity.ERROR),
    )
    found = examine(healthy(), checks=checks)
    assert [(it.text, it.check, it.severity, it.remedy) for it in found] == [
        ("bad", "bad", Severity.ERROR, "mend it"),
        ("a note", "note", Severity.NOTE, "mend it"),
    ]


def test_only_cheap_ones_are_made_where_only_those_are_asked_for() -> None:
    checks = (row("dear", Finding("it"), cheap=False), row("cheap", Finding("it")))
    found = examine(healthy(), cheap_only=True, checks=checks)
    assert [finding.check for finding in found] == ["cheap"]


def test_what_is_not_known_is_a_finding_and_no_pass() -> None:
    check = Check("units", Severity.ERROR, "it", "bad", "mend it", needs_units)
    unseen = NotKnown("systemd's units", "no answer within 5 s")
    error, warning = examine(healthy(units=unseen), checks=(check, check))[-2:]
    assert error.text == "seen before"
    assert warning.check == NOT_KNOWN
    assert warning.severity is Severity.WARNING
    assert warning.text == "systemd's units cannot be looked at: no answer within 5 s"
    assert warning.evidence == ("not checked: units, units",)


def test_what_another_user_may_not_see_is_a_note() -> None:
    check = Check("units", Severity.ERROR, "it", "bad", "mend it", needs_units)
    unseen = NotKnown("it", "permission denied", refused=True)
    assert examine(healthy(units=unseen), checks=(check,))[-1].severity is Severity.NOTE


def test_a_check_that_is_wrong_itself_keeps_no_other_from_being_made() -> None:
    def broken(_state: HostState) -> Iterator[Finding]:
        raise KeyError("x")
        yield

    checks = (Check("broken", Severity.ERROR, "", "", "", broken), row("other", Finding("it")))
    texts = [finding.text for finding in examine(healthy(), checks=checks)]
    assert texts == [
        "it",
        "what broken looks at cannot be looked at: internal error: KeyError('x')",
    ]


# Gathering


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Local:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Local(Config(), (TEST_URI,), lambda _text: None)


def refused(_look: object) -> object:
    raise PermissionError(13, "Permission denied", "/etc/secret")


def unseen(_look: object) -> object:
    raise NotSeen(NotKnown("this", "so"))


def slow(_look: object) -> object:
    time.sleep(0.2)
    return None


def wrong(_look: object) -> object:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("gather", "expected"),
    [
        (
            refused,
            NotKnown("what", "[Errno 13] Permission denied: '/etc/secret'", refused=True),
        ),
        (unseen, NotKnown("this", "so")),
        (slow, NotKnown("what", "no answer within 0.05 s")),
        (wrong, NotKnown("what", "internal error: KeyError('x')")),
    ],
)
def test_a_part_that_fails_is_not_known(
    gather: Any, expected: NotKnown, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "PARTS", (Part("units", "what", gather, 0.05),))
    state = host_state(local, [], hosts_files=False)
    assert state.units == expected
    assert not isinstance(state.facts, NotKnown)


# What is printed


def test_json_of_a_finding() -> None:
    guest = GuestId("qemu:///system", "aaaa")
    finding = Finding("bad", "", "web", guest, "held", Severity.NOTE, ("read here",))
    assert finding_json(finding) == {
        "check": "held",
        "severity": "note",
        "guest": {"name": "web", "uuid": "aaaa", "uri": "qemu:///system"},
        "problem": "bad",
        "evidence": ["read here"],
        "remedy": None,
        "command": None,
    }
    assert finding_json(Finding("bad"))["guest"] is None


def test_a_host_is_well_with_notes_alone() -> None:
    assert Examined([Finding("it", severity=Severity.NOTE)]).is_well
    assert not Examined([Finding("it")]).is_well


def test_the_configuration_named_is_examined() -> None:
    found = doctor(Loaded(Config(), "", (), ()), TEST_URI, hosts_files=False)
    assert found.failure is None


# The verb


def test_what_the_verb_prints(command: Command) -> None:
    shown = command.run("doctor", "-c", TEST, status=1)
    assert "cannot be looked at" in shown.stdout, "there is no bus here"
    assert re.search(r"^(\d+ \w+(, )?)+$", shown.stdout.splitlines()[-1])
    told = command.json("doctor", "-c", TEST, "--json", status=1)
    assert {it["severity"] for it in told} <= set(Severity)
    assert NOT_KNOWN in {it["check"] for it in told}


def test_a_mistake_in_the_files_is_a_finding_and_strict_refuses_it(command: Command) -> None:
    file = command.home / "wrong.toml"
    file.write_text('[shutdown]\ndeadline = "soon"\n')
    found = command.json("doctor", "-c", TEST, "--config", file, "--json", status=1)
    (mistake,) = (it for it in found if it["check"] == "config-mistakes")
    assert f"{file}:2" in mistake["problem"]
    strict = command.run("doctor", "-c", TEST, "--config", file, "--strict", status=2)
    assert strict.stdout == ""
