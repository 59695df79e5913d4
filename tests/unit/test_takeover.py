"""What takeover and handback refuse, before anything is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.last_good import Loaded
from guestctl.control.doctor import units as doctor_units
from guestctl.control.doctor.examining import Examined
from guestctl.control.failure import Failure, RequestError
from guestctl.control.local import Local
from guestctl.control.takeover import frame, handing_back, left_list, rival, service, taking_over
from guestctl.control.takeover.interrupts import Interrupts
from guestctl.control.takeover.record import Record, Store
from guestctl.control.takeover.runner import Runner
from guestctl.control.takeover.step import Step, StepFailed
from guestctl.control.takeover.taking_over import take_over
from guestctl.decisions.check import AtTakeover
from guestctl.decisions.doctor import CHECKS, examine
from guestctl.host import locks, machine, status_file, systemd, unit_files
from guestctl.host.libvirt import auto_shutdown
from guestctl.model.finding import Finding, Severity
from guestctl.model.guest import State
from guestctl.model.overview import Row
from guestctl.model.record import Wanted
from tests.unit.command import TEST, Command
from tests.unit.healthy import healthy, units

LOADED = Loaded(Config(), "", (), ())
HERE = Local(Config(), (), print)


def refused(command: Command, verb: str, *options: str, status: int) -> str:
    return command.run(verb, *options, status=status).stderr


@pytest.mark.parametrize("verb", ["takeover", "handback"])
def test_they_are_about_the_host(command: Command, verb: str) -> None:
    assert f"{verb} goes with neither --connect nor" in refused(command, verb, "-c", TEST, status=2)


def test_what_guests_would_be_lost_by_under_guestctl_ends_it() -> None:
    """A check that is new does, unless it says otherwise."""
    ends = {it.name for it in CHECKS if it.severity is Severity.ERROR} - {
        it.name for it in CHECKS if it.at_takeover is not AtTakeover.ENDS
    }
    assert ends >= {"saves-not-kept", "ledger-not-kept", "job-limit", "connection-lost"}
    assert not ends & {"service-off", "libvirt-guests", "network-at-boot", "disk-missing"}


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """On a host that stays up, as root; what is said."""
    monkeypatch.setattr(machine, "is_root", lambda: True)
    monkeypatch.setattr(machine, "SYSTEM_RUN", tmp_path)
    monkeypatch.setattr(systemd, "is_stopping_now", lambda: False)
    return []


def found(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(taking_over, "doctor", lambda *_, **__: Examined(list(findings)))


LOST = Finding("guests would be lost", "do this", "web", None, "saves-not-kept", Severity.ERROR)
BEFORE = Finding("its network is off at boot", "", "web", None, "network-at-boot", Severity.ERROR)
OURS = Finding("it is off", "", "", None, "service-off", Severity.ERROR)
ODD = Finding("odd", "", "", None, "order", Severity.WARNING)


class Stepped(Exception):
    """So far it came."""


NO_STEP = Step("", "", "", dict, lambda: True, print, lambda *_: None, is_back=lambda _: True)


@pytest.fixture
def no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise Stepped

    monkeypatch.setattr(rival, "refuse_if_busy", lambda _: None)
    monkeypatch.setattr(taking_over, "steps", stop)
    monkeypatch.setattr(taking_over, "switch", lambda _: NO_STEP)
    monkeypatch.setattr(handing_back, "switch", lambda _: NO_STEP)
    monkeypatch.setattr(Interrupts, "take", lambda _: None)


@pytest.mark.usefixtures("no_steps")
def test_errors_that_stay_end_it(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, LOST, OURS, ODD)
    with pytest.raises(RequestError, match=r"the doctor finds .*nothing was touched"):
        take_over(LOADED, said.append, dry_run=False, force=False)
    assert said == ["error: web: guests would be lost (saves-not-kept)", "  -> do this"]
    with pytest.raises(Stepped):
        take_over(LOADED, said.append, dry_run=False, force=True)


@pytest.mark.usefixtures("no_steps")
def test_what_would_be_done_is_shown_before_it_is_refused(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, LOST)
    monkeypatch.setattr(taking_over, "steps", lambda _: [])

    def show(_: Runner) -> bool:
        said.append("would do it")
        return True

    monkeypatch.setattr(Runner, "would_take_over", show)
    with pytest.raises(RequestError, match="the doctor finds"):
        take_over(LOADED, said.append, dry_run=True, force=False)
    assert said[-1] == "would do it"


@pytest.mark.usefixtures("no_steps")
def test_what_it_mends_does_not(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, OURS, ODD)
    with pytest.raises(Stepped):
        take_over(LOADED, said.append, dry_run=False, force=False)
    assert said == []


@pytest.mark.usefixtures("no_steps")
def test_what_was_as_bad_before_is_shown_and_does_not(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a guest on libvirt's default network, which half of all hosts do not start at boot."""
    found(monkeypatch, BEFORE)
    with pytest.raises(Stepped):
        take_over(LOADED, said.append, dry_run=False, force=False)
    assert said == ["error: web: its network is off at boot (network-at-boot)"]


def ask_both(say: list[str], *, dry_run: bool = False) -> Iterator[RequestError]:
    with pytest.raises(RequestError) as error:
        take_over(LOADED, say.append, dry_run=dry_run, force=False)
    yield error.value
    with pytest.raises(RequestError) as error:
        handing_back.hand_back(Config(), say.append, dry_run=dry_run)
    yield error.value


def test_only_root_may(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_root", lambda: False)
    for error in ask_both(said):
        assert error.failure is Failure.NOT_PERMITTED
        assert "only root may; use sudo" in str(error)


@pytest.mark.parametrize(
    ("stops", "text"), [(True, "the host is going down"), (None, "systemd does not say whether")]
)
def test_not_while_the_host_goes_down(
    said: list[str], monkeypatch: pytest.MonkeyPatch, stops: bool | None, text: str
) -> None:
    monkeypatch.setattr(systemd, "is_stopping_now", lambda: stops)
    assert all(text in str(error) for error in ask_both(said))


def test_a_systemd_that_cannot_be_asked_is_told(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: str) -> None:
        raise unit_files.SystemctlFailed("cannot systemctl show: it took longer than 15 s")

    found(monkeypatch)
    monkeypatch.setattr(Interrupts, "take", lambda _: None)
    monkeypatch.setattr(unit_files, "show", fails)
    for error in ask_both(said):
        assert str(error) == "cannot systemctl show: it took longer than 15 s"


def test_one_at_a_time(said: list[str], tmp_path: Path) -> None:
    with locks.held_alone(tmp_path, "takeover.lock"):
        for error in ask_both(said):
            assert error.failure is Failure.LOCKED
            assert "another takeover or handback goes on" in str(error)


@pytest.mark.parametrize("dry_run", [False, True])
def test_not_in_a_run(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    """It is named, before the doctor takes its time."""
    monkeypatch.setattr(frame, "A_MOMENT", 0)
    with locks.runs_held_off(tmp_path, "root: guestctl shutdown --preserve"):
        for error in ask_both(said, dry_run=dry_run):
            assert "cut off: root: guestctl shutdown --preserve (process " in str(error)
            assert "wait until it is through (`guestctl history`), and ask again" in str(error)


@pytest.mark.usefixtures("no_steps")
def test_not_in_a_run_that_began_while_the_doctor_looked(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_over, "steps", lambda _: [])
    monkeypatch.setattr(frame, "refuse_in_a_run", lambda _: None)
    found(monkeypatch)
    with contextlib.ExitStack() as held:

        def begins(_verb: str) -> None:
            held.enter_context(locks.runs_held_off(tmp_path, "root: guestctl start"))

        monkeypatch.setattr(rival, "refuse_if_busy", begins)
        with pytest.raises(RequestError, match=r"a run goes on.*: root: guestctl start"):
            take_over(LOADED, said.append, dry_run=False, force=False)


@pytest.mark.usefixtures("no_steps")
def test_no_run_begins_meanwhile(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[str]()

    def carry_out(_: Runner) -> bool:
        seen.append(locks.who_runs(tmp_path))
        return True

    found(monkeypatch)
    monkeypatch.setattr(taking_over, "steps", lambda _: [])
    monkeypatch.setattr(handing_back, "steps", lambda _: [])
    monkeypatch.setattr(handing_back, "_left", lambda _: ())
    for verb in ("take_over", "hand_back"):
        monkeypatch.setattr(Runner, verb, carry_out)
    take_over(LOADED, said.append, dry_run=False, force=False)
    handing_back.hand_back(Config(), said.append, dry_run=False)
    assert ["(process " in who for who in seen] == [True, True]


WELL = {
    "pid": 7,
    "connections": {"qemu:///system": "connected", "lxc:///system": "connected"},
    "logind": {"connected": True, "problem": ""},
}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "it does not run"),
        ({**WELL, "pid": 6}, "it does not run"),  # that is what another one said
        ({**WELL, "connections": {}}, "it has no connection yet"),
        ({**WELL, "connections": {"lxc:///system": "no answer"}}, "lxc:///system: no answer"),
        ({**WELL, "logind": {"connected": False, "problem": "gone"}}, "are not heard: gone"),
        (WELL, ""),
    ],
)
def test_whether_the_service_watches(
    said: dict[str, object] | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_file, "read", lambda _: said)
    monkeypatch.setattr(unit_files, "show", lambda *_: {"MainPID": "7"})
    text = service.why_not_watching()
    assert (why in text, bool(text)) == (True, bool(why))


def test_a_list_that_others_may_have_written_is_not_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "libvirt-guests"
    file.write_text("default 11111111-1111-1111-1111-111111111111\n")
    file.chmod(0o666)
    monkeypatch.setattr(left_list, "LIST", file)
    step = left_list.step(HERE)
    with pytest.raises(StepFailed, match="no file that root alone can write"):
        step.do(print)
    assert file.exists()


def test_a_list_is_put_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "libvirt-guests"
    file.write_text("default 11111111-1111-1111-1111-111111111111\n")
    monkeypatch.setattr(left_list, "LIST", file)
    step = left_list.step(HERE)
    before, made = step.look(), file.stat().st_mtime_ns
    file.unlink()
    step.undo(before, print)
    assert (file.read_text().split()[0], file.stat().st_mtime_ns) == ("default", made)
    assert step.hand_back is not None
    step.hand_back(before, print)  # its next start would bring up whom it took down long ago
    assert step.is_done()


NOTHING: dict[str, Any] = {field.name: None for field in fields(Row)}
KNOWN = {"name": "web", "uuid": "u", "uri": "qemu:///system", "reason": "", "why_wanted": "why"}
ROW = Row(**{**NOTHING, **KNOWN, "state": State.SHUT_OFF, "wanted": Wanted.ON})
HELD = "web: off, and guestctl held it, which ends with guestctl: stale"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (ROW, "web: off, but wanted on (why): virsh start web"),
        (
            replace(ROW, shed="on battery"),
            "web: off, but wanted on (it was shed, on battery): virsh start web",
        ),
        (replace(ROW, wanted=Wanted.OFF), ""),
        (replace(ROW, state=State.RUNNING), ""),
        (
            replace(ROW, held="stale"),
            "web: off, and guestctl held it, which ends with guestctl: stale",
        ),
    ],
)
@pytest.mark.parametrize("is_up", [True, False])
def test_a_handback_names_whom_nobody_sees_to(
    row: Row, text: str, is_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = rival.Rival("loaded", "active" if is_up else "inactive", "", False, ())
    monkeypatch.setattr(rival, "look", lambda: other)
    monkeypatch.setattr(handing_back, "gather", lambda *_: None)
    monkeypatch.setattr(handing_back, "rows_of", lambda _: [row])
    monkeypatch.setattr(auto_shutdown, "switched_on", tuple)
    said = list(handing_back._left(HERE))
    assert [line for line in said if line.startswith("web")] == [text] * bool(text)
    assert any("nobody is in charge" in line for line in said) is not is_up


def test_one_that_was_cut_off_is_told_by_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "takeover.json")
    monkeypatch.setattr(doctor_units, "Store", lambda: store)
    monkeypatch.setattr(machine, "SYSTEM_RUN", tmp_path)
    assert doctor_units._cut_off() == ""
    store.write(Record())
    told = doctor_units._cut_off()
    (found,) = examine(healthy(units=units(cut_off=told)))
    assert (found.check, found.command) == ("takeover-cut-off", "guestctl takeover")
    assert found.evidence == (f"{store.file} says how far it is",)
    with locks.held_alone(tmp_path, "takeover.lock"):
        assert doctor_units._cut_off() == ""
    store.write(Record(complete=True))
    assert doctor_units._cut_off() == ""
    store.file.write_text("?")
    assert doctor_units._cut_off() == str(store.file)
