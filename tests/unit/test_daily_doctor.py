"""The service's doctor: a process of its own, once a day, and what is new or gone."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from guestctl.cli.arguments import parse
from guestctl.control.doctor import findings_file
from guestctl.control.doctor.findings_file import Last, Told, added
from guestctl.service import daily_doctor
from guestctl.service.configuration import Configuration
from guestctl.service.daily_doctor import DailyDoctor, child
from tests.unit.running import run_async

RIVAL = Told("libvirt-guests", "error", "", "libvirt-guests.service is active", "guestctl takeover")
HELD = Told("held", "warning", "web", "held: moving", "")


class State:
    """Of a service: idle, on a host that stays up, until told otherwise."""

    def __init__(self) -> None:
        self.goes_down = False

    async def until_idle(self) -> None:
        pass


class Case:
    """A doctor whose looks are programs of the test's."""

    def __init__(self, folder: Path) -> None:
        self.run, self.kept, self.state = folder / "run", folder / "kept", State()
        self.run.mkdir()
        self.kept.mkdir()
        self.changes: list[str] = []

    def doctor(self, *argv: str) -> DailyDoctor:
        state: Any = self.state
        return DailyDoctor(state, argv, self.run, self.kept, lambda: self.changes.append("changed"))

    def look(self, *findings: Told) -> None:
        """One look that finds these."""
        findings_file.write(self.run, Last(1, findings))
        run_async(self.doctor("true")._look())


@pytest.fixture
def case(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Case:
    caplog.set_level(logging.INFO)
    return Case(tmp_path)


def test_what_is_new_is_told_once(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.look(RIVAL, HELD)
    text = "doctor: libvirt-guests.service is active (libvirt-guests) -> guestctl takeover"
    assert [(it.levelname, it.message) for it in caplog.records] == [
        ("ERROR", text),
        ("WARNING", "doctor: web: held: moving (held)"),
    ]
    caplog.clear()
    case.look(RIVAL, HELD)
    assert caplog.records == []
    assert case.changes == ["changed", "changed"]


def test_what_is_gone_is_told(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.look(RIVAL, HELD)
    caplog.clear()
    case.look(HELD)
    (line,) = caplog.records
    assert line.levelname == "INFO"
    assert line.message.startswith("doctor: this is over: libvirt-guests.service is active")


def test_the_same_with_other_numbers_is_not_new() -> None:
    before = Told("no-room", "warning", "web", "it can take 4GiB, and 1.5GiB are free", "")
    now = before._replace(problem="it can take 4GiB, and 1.2GiB are free")
    assert added([before], [now]) == []
    assert added([before], [now._replace(name="db")]) != []
    assert added([before], [now._replace(severity="error")]) != []


def test_a_look_that_fails_is_said_and_no_verdict(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.look(RIVAL)
    caplog.clear()
    run_async(case.doctor("sh", "-c", "echo no disk >&2; exit 1")._look())
    assert [it.message for it in caplog.records] == [
        "the doctor could not look at this host: no disk"
    ]
    assert findings_file.read(case.kept) == Last(1, (RIVAL,))


def test_a_file_that_is_torn_or_anothers_is_none(case: Case) -> None:
    assert findings_file.read(case.run) is None
    for text in ("{", "[]", '{"findings": [{"check": 1}]}'):
        (case.run / "doctor.json").write_text(text)
        assert findings_file.read(case.run) is None


# When it looks

LOOKS = "echo >> {0}/looks"


def looks(case: Case) -> int:
    file = case.run / "looks"
    return len(file.read_text().splitlines()) if file.exists() else 0


async def until(condition: Any) -> None:
    while not condition():  # noqa: ASYNC110 - a process tells nobody
        await asyncio.sleep(0.005)


async def work_until(doctor: DailyDoctor, wait: Coroutine[Any, Any, None]) -> None:
    working = asyncio.create_task(doctor.work())
    try:
        await wait
    finally:
        working.cancel()
        await asyncio.wait([working])


def test_it_looks_after_a_while_and_then_seldom(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_doctor, "FIRST", 0.01)
    monkeypatch.setattr(daily_doctor, "AGAIN", 0.01)
    doctor = case.doctor("sh", "-c", LOOKS.format(case.run))
    run_async(work_until(doctor, until(lambda: looks(case) >= 2)))


def test_a_fault_is_not_tried_again_at_once(
    case: Case, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daily_doctor, "FIRST", 0.0)
    findings_file.write(case.run, Last(1, (HELD._replace(severity="unheard of"),)))
    doctor = case.doctor("true")

    async def a_while() -> None:
        await until(lambda: caplog.records)
        await asyncio.sleep(0.05)

    run_async(work_until(doctor, a_while()))
    assert [it.levelname for it in caplog.records] == ["ERROR"]


SLEEPS = "import os, time; open({0!r}, 'w').write(str(os.getpid())); time.sleep(60)"


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("ends", ["the host goes down", "the service is stopped"])
def test_a_look_under_way_ends(case: Case, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    monkeypatch.setattr(daily_doctor, "FIRST", 0.0)
    monkeypatch.setattr(daily_doctor, "GIVE_WAY", 0.01)
    file = case.run / "pid"
    doctor = case.doctor(sys.executable, "-c", SLEEPS.format(str(file)))

    async def end() -> None:
        await until(lambda: file.exists() and file.read_text())
        if ends == "the host goes down":
            case.state.goes_down = True
            await until(lambda: not is_there(int(file.read_text())))

    run_async(work_until(doctor, end()))
    assert not is_there(int(file.read_text()))


def test_the_command_goes_by_what_the_service_does(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text("")
    argv = child(Configuration(file, "test:///default"))
    arguments = parse(argv[argv.index("unit") :])
    assert (arguments.job, arguments.config) == ("doctor", file)
    assert arguments.connect == "test:///default"
    argv = child(Configuration(None, None))
    assert argv[argv.index("unit") :] == ["unit", "doctor"]
