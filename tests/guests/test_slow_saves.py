"""Saves that take long: time limits, other people's jobs, Ctrl-C, a second run."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.conftest import Guestctl
from tests.testbed.session import SessionDaemon

from .conftest import WEB
from .support import (
    begins,
    by_name,
    last_tick,
    launch,
    listed,
    outcome,
    said_bye,
    steps,
    trail,
    wait_for_job,
    went_on,
)

pytestmark = pytest.mark.guests

#: Bytes a second: at the first a save takes longer than any test, at the second some 2 s.
NEVER_DONE, SOME_SECONDS = 2_000_000, 40_000_000


def begun_save(guestctl: Guestctl, name: str) -> subprocess.Popen[str]:
    """A preserve in the middle of its save."""
    guestctl.daemon.set_save_rate(NEVER_DONE)
    child = launch(guestctl, "shutdown", "--preserve")
    wait_for_job(guestctl.daemon, name, "Save")
    return child


def others_job(daemon: SessionDaemon, operation: str, *command: str) -> subprocess.Popen[str]:
    """A job of another client, under way."""
    daemon.set_save_rate(NEVER_DONE)
    pipe = subprocess.DEVNULL
    argv = ["virsh", "-q", "-c", daemon.uri, *command]
    child = daemon.popen(argv, stdout=pipe, stderr=pipe, text=True)
    wait_for_job(daemon, WEB.name, operation)
    return child


def test_interrupted_in_mid_save(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    """Ctrl-C: the save is aborted, and the guest runs on as if nothing had been."""
    before = last_tick(slow, slow_web)
    child = begun_save(slow_guestctl, slow_web)
    child.send_signal(signal.SIGINT)
    said = outcome(child, status=1)
    assert "interrupted" in said
    assert went_on(slow, slow_web, before)
    row = listed(slow_guestctl, slow_web)
    assert (row["state"], row["saved"], row["wanted"]) == ("running", False, "on")
    assert not list(slow.folder.rglob("*.save"))
    (run,) = slow_guestctl.json("history")
    assert run["ended"]
    assert not run["ok"]
    assert by_name(run)[slow_web]["outcome"] == "failed"


def test_second_run_is_refused_and_told_who(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    child = begun_save(slow_guestctl, slow_web)
    for verb, *arguments in (["start"], ["shutdown", "--preserve"]):
        refused = slow_guestctl.run(verb, *arguments, status=5)
        assert "another run has the lock" in refused.stderr
        assert "shutdown" in refused.stderr
        assert f"process {child.pid}" in refused.stderr
    assert slow_guestctl.run("list").stdout  # reading is not acting
    slow.set_save_rate(0)
    outcome(child)
    assert len(slow_guestctl.json("history")) == 1


def test_save_out_of_time_is_aborted_and_the_guest_shut_down(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    slow.set_save_rate(NEVER_DONE)
    slow_guestctl.configure('[shutdown]\nsave-timeout = "2s"\n')
    result = slow_guestctl.json("shutdown", "--preserve")
    guest = by_name(result)[slow_web]
    assert guest["outcome"] == "shut-down"
    assert steps(guest) == {"save": "timed out", "shutdown": "done"}
    assert guest["steps"][0]["seconds"] == pytest.approx(2, abs=2)
    assert said_bye(slow, slow_web)
    assert "save timed out: not saved within 2s" in trail(slow_guestctl, slow_web)
    assert not list(slow.folder.rglob("*.save"))


def test_save_by_somebody_else_is_waited_for(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    before = last_tick(slow, slow_web)
    other = others_job(slow, "Save", "managedsave", slow.id_of(slow_web))
    child = launch(slow_guestctl, "shutdown", "--preserve")
    begins(child, "preserve of 1")
    slow.set_save_rate(SOME_SECONDS)
    assert f"{slow_web}: saved after" in outcome(child)
    assert other.wait(10) == 0
    assert "waited for its save to end" in trail(slow_guestctl, slow_web)
    assert by_name(slow_guestctl.json("start"))[slow_web]["outcome"] == "resumed"
    assert went_on(slow, slow_web, before)


def test_save_to_a_file_by_somebody_else_is_theirs(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    """Whoever saves a guest to a file means to restore it from there: a boot would harm it."""
    file = str(slow.folder / "s/web")
    other = others_job(slow, "Save", "save", slow.id_of(slow_web), file)
    child = launch(slow_guestctl, "shutdown", "--preserve")
    begins(child, "preserve of 1")
    slow.set_save_rate(SOME_SECONDS)
    said = outcome(child)
    assert other.wait(10) == 0
    row = listed(slow_guestctl, slow_web)
    started = slow_guestctl.json("start")["guests"]
    if slow.state(slow_web) != "running":
        slow.virsh("restore", file)
    assert (row["wanted"], row["stopped_by"]) == ("off", "administrator")
    assert not started
    assert "went down by itself" not in said


def test_libvirtd_dies_in_mid_save(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    """The new one resumes the guest, and the run saves it anew."""
    before = last_tick(slow, slow_web)
    child = begun_save(slow_guestctl, slow_web)
    slow.kill_daemon()
    slow.set_save_rate(0)
    slow.start_daemon()
    assert f"{slow_web}: saved after" in outcome(child)
    assert by_name(slow_guestctl.json("start"))[slow_web]["outcome"] == "resumed"
    assert went_on(slow, slow_web, before)


def test_other_job_is_aborted_after_its_time(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    slow_guestctl.configure('[shutdown]\njob-timeout = "1s"\n')
    other = others_job(
        slow, "Dump", "dump", "--live", slow.id_of(slow_web), str(slow.folder / "s/dump")
    )
    child = launch(slow_guestctl, "shutdown", "--preserve")
    begins(child, f"{slow_web}: save begins")
    slow.set_save_rate(0)
    assert f"{slow_web}: saved after" in outcome(child)
    assert other.wait(10) != 0
    assert "its dump was aborted after 1s" in trail(slow_guestctl, slow_web)


def test_plain_lines_tell_what_happens(
    slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl
) -> None:
    slow_guestctl.configure('[shutdown]\nsave-timeout = "1s"\nshutdown = "none"\npoweroff = "none"')
    slow.set_save_rate(NEVER_DONE)
    child = launch(slow_guestctl, "shutdown", "--preserve")
    begins(child, f"{slow_web}: save begins, at most 1s")
    begins(child, f"{slow_web}: save timed out: not saved within 1s")
    begins(child, f"{slow_web}: failed after ")
    assert "\x1b" not in outcome(child, status=1)
