"""Whether the host stops: over a real bus, and by a systemctl of the test's own."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from guestctl.host import systemd
from guestctl.host.bus_values import Variant
from guestctl.service import units
from tests.unit.private_bus import FakeSystemd, PrivateBus, open_fds
from tests.unit.running import run_async

SHUTDOWN = ("shutdown.target", "start")


@pytest.fixture(autouse=True)
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that fails until it is written."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    script = tmp_path / "systemctl"
    write(script, "exit 1")
    return script


def write(script: Path, text: str) -> None:
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)


def answers(script: Path, state: str, jobs: str = "") -> None:
    write(script, f'case "$*" in *SystemState*) echo {state};; *list-jobs*) printf "{jobs}";; esac')


async def ask(bus: PrivateBus, fake: FakeSystemd) -> bool | None:
    await fake.connect(bus.address)
    before = open_fds()
    try:
        return await systemd.is_stopping(bus.address)
    finally:
        assert open_fds() == before
        fake.leave()


@pytest.mark.parametrize("state", ["initializing", "starting", "running", "degraded"])
def test_over_the_bus_a_host_that_stays_up(bus: PrivateBus, state: str) -> None:
    jobs = [("shutdown.target", "stop"), ("guestctl.service", "start"), ("poweroff", "start")]
    assert run_async(ask(bus, FakeSystemd(state, *jobs))) is False


@pytest.mark.parametrize("state", sorted(systemd.STOP_STATES))
def test_over_the_bus_a_host_that_stops(bus: PrivateBus, state: str) -> None:
    """Rescue and emergency are reached before the other units have been stopped."""
    assert run_async(ask(bus, FakeSystemd(state))) is True


@pytest.mark.parametrize("target", sorted(systemd.STOP_TARGETS))
def test_over_the_bus_a_host_that_stops_before_it_was_up(bus: PrivateBus, target: str) -> None:
    jobs = [("a.service", "stop"), (target, "start")]
    assert run_async(ask(bus, FakeSystemd("starting", *jobs))) is True


def test_a_systemd_gone_from_the_bus_is_asked_by_systemctl(
    bus: PrivateBus, systemctl: Path
) -> None:
    answers(systemctl, "stopping")
    assert run_async(systemd.is_stopping(bus.address)) is True


def test_a_systemd_silent_on_the_bus_is_asked_by_systemctl(
    bus: PrivateBus, systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "BUS_LIMIT", 0.1)
    answers(systemctl, "running")
    silent = FakeSystemd()
    silent.methods.clear()
    assert run_async(ask(bus, silent)) is False


def malformed(member: str) -> FakeSystemd:
    fake = FakeSystemd("starting")
    if member == "Get":
        fake.properties["SystemState"] = Variant("as", ["running"])
    else:
        fake.methods[member] = lambda _: ("a(us)", [[[1, "shutdown.target"]]], [])
    return fake


@pytest.mark.parametrize("member", ["Get", "ListJobs"])
def test_what_systemd_answers_in_another_form_is_asked_by_systemctl(
    bus: PrivateBus, systemctl: Path, member: str
) -> None:
    answers(systemctl, "stopping")
    assert run_async(ask(bus, malformed(member))) is True


@pytest.mark.parametrize(
    ("state", "jobs", "stops"),
    [
        ("stopping", "", True),
        ("maintenance", "", True),
        ("running", "", False),
        ("degraded", "12 shutdown.target stop waiting\\n", False),
        ("starting", "1 a.service stop running\\n22 shutdown.target start waiting\\n", True),
        ("starting", "3 soft-reboot.target start waiting\\n", True),
        ("starting", "No jobs running.\\n", False),
        ("", "", None),
    ],
)
def test_by_systemctl_without_a_bus(
    systemctl: Path, state: str, jobs: str, stops: bool | None
) -> None:
    answers(systemctl, state, jobs)
    assert run_async(systemd.is_stopping()) is stops


def test_nobody_answers(systemctl: Path) -> None:
    assert run_async(systemd.is_stopping()) is None
    systemctl.unlink()
    assert run_async(systemd.is_stopping("nonsense")) is None


def test_jobs_that_cannot_be_read_are_no_answer(systemctl: Path) -> None:
    write(systemctl, 'case "$*" in *SystemState*) echo starting;; *) exit 1;; esac')
    assert run_async(systemd.is_stopping()) is None


def test_a_systemctl_that_hangs_is_ended(
    systemctl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "SYSTEMCTL_LIMIT", 0.2)
    write(systemctl, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    began = time.monotonic()
    assert run_async(systemd.is_stopping()) is None
    assert time.monotonic() - began < 3
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_giving_up_ends_systemctl_too(systemctl: Path, tmp_path: Path) -> None:
    write(
        systemctl,
        f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60",
    )

    async def work() -> None:
        asking = asyncio.create_task(systemd.is_stopping())
        while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    run_async(work())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_it_is_asked_again_for_a_while(
    systemctl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "PAUSE", 0.01)
    write(
        systemctl,
        f"echo >> {tmp_path}/asked; [ $(wc -l < {tmp_path}/asked) -gt 3 ] && echo stopping",
    )
    assert systemd.is_stopping_now() is True


@pytest.mark.parametrize(("state", "stops"), [("stopping", True), ("running", False)])
def test_the_command_hears_it(systemctl: Path, state: str, stops: bool) -> None:
    answers(systemctl, state)
    assert units.does_host_stop(print) is stops


def test_without_an_answer_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(systemd, "RETRY_FOR", 0.05)
    monkeypatch.setattr(systemd, "PAUSE", 0.01)
    assert units.does_host_stop(print) is False
    assert "cannot find out whether the host is going down" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "boots"),
    [("initializing", True), ("starting", True), ("running", False), ("degraded", False)],
)
def test_whether_the_host_is_booting(systemctl: Path, state: str, boots: bool) -> None:
    answers(systemctl, state)
    assert systemd.is_booting_now() is boots


def test_nobody_tells_whether_it_is_booting(systemctl: Path) -> None:
    write(systemctl, "exit 1")
    assert systemd.is_booting_now() is None


async def ask_kind(bus: PrivateBus, fake: FakeSystemd) -> str:
    await fake.connect(bus.address)
    before = open_fds()
    try:
        return await systemd.kind_of_stop(bus.address)
    finally:
        assert open_fds() == before
        fake.leave()


@pytest.mark.parametrize("kind", systemd.STOP_KINDS)
def test_over_the_bus_in_which_way_the_host_stops(bus: PrivateBus, kind: str) -> None:
    fake = FakeSystemd("stopping", ("guestctl.service", "stop"), (f"{kind}.target", "start"))
    assert run_async(ask_kind(bus, fake)) == kind


def test_over_the_bus_a_way_that_no_job_tells(bus: PrivateBus) -> None:
    fake = FakeSystemd("stopping", SHUTDOWN, ("reboot.target", "stop"), ("rescue.target", "start"))
    assert run_async(ask_kind(bus, fake)) == ""


@pytest.mark.parametrize("kind", systemd.STOP_KINDS)
def test_by_systemctl_in_which_way_the_host_stops(systemctl: Path, kind: str) -> None:
    answers(systemctl, "stopping", f"12 {kind}.target start waiting\\n7 x.service stop running")
    assert run_async(systemd.kind_of_stop()) == kind


def test_when_nobody_answers_the_way_is_not_known(systemctl: Path) -> None:
    assert run_async(systemd.kind_of_stop()) == ""
