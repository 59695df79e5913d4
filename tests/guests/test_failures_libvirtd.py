"""libvirtd dies in the middle of a run, and comes back or not."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Guestctl
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import NEVER_DONE, outcomes, up
from .support import (
    begins,
    by_name,
    cleared,
    last_tick,
    listed,
    outcome,
    wait_for_job,
    wait_for_press,
    went_on,
)

pytestmark = pytest.mark.guests

FIRST, SECOND = SPECS = (GuestSpec("first", button="ignore"), GuestSpec("second", button="ignore"))
NAMES = [spec.name for spec in SPECS]
WITHIN, TOLERANCE = 24.0, 25.0


@pytest.fixture(scope="module")
def guests(slow: SessionDaemon) -> Iterator[SessionDaemon]:
    """Both of them, running."""
    with cleared(slow):
        slow.set_save_rate(0)
        slow.start_all(list(SPECS))
        yield slow


@pytest.fixture
def before(guests: SessionDaemon) -> dict[str, Tick]:
    """Their newest ticks; a test that failed may have left no daemon."""
    if not guests.runs():
        guests.start_daemon()
    up(guests, *SPECS)
    return {name: last_tick(guests, name) for name in NAMES}


def launch_alone(guestctl: Guestctl, verb: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the command; libvirt must not start a session daemon for it, as it does for users."""
    program, *rest = guestctl.argv(verb, *arguments)
    pipe = subprocess.PIPE
    argv = [program, "LIBVIRT_AUTOSTART=0", *rest]
    return guestctl.daemon.popen(argv, stdout=pipe, stderr=pipe, text=True)


def in_mid_save(guestctl: Guestctl, *arguments: str) -> subprocess.Popen[str]:
    """A preserve whose saves are all under way."""
    guestctl.daemon.set_save_rate(NEVER_DONE)
    child = launch_alone(guestctl, "shutdown", "--preserve", *arguments)
    for name in NAMES:
        wait_for_job(guestctl.daemon, name, "Save")
    return child


def assert_untouched(guestctl: Guestctl, before: dict[str, Tick]) -> None:
    """They run on where they were, and `list` knows it."""
    for name, tick in before.items():
        assert went_on(guestctl.daemon, name, tick)
        row = listed(guestctl, name)
        assert (row["state"], row["wanted"], row["held"]) == ("running", "on", None)
        assert row["next_boot"] == "resume"


def test_comes_back_in_mid_save(
    guests: SessionDaemon, before: dict[str, Tick], slow_guestctl: Guestctl
) -> None:
    """The saves it was at are lost; they are made again, and the guests go on from them."""
    child = in_mid_save(slow_guestctl)
    guests.kill_daemon()
    guests.set_save_rate(0)
    guests.start_daemon()
    said = outcome(child)
    for name in NAMES:
        assert f"{name}: saved after" in said
        assert listed(slow_guestctl, name)["next_boot"] == "resume"
    assert outcomes(slow_guestctl.json("start")) == dict.fromkeys(NAMES, "resumed")
    for name, tick in before.items():
        assert went_on(guests, name, tick)


def test_does_not_come_back(
    guests: SessionDaemon, before: dict[str, Tick], slow_guestctl: Guestctl
) -> None:
    """The run ends in time and claims nothing; what was wanted is as it was."""
    begun = time.monotonic()
    child = in_mid_save(slow_guestctl, "--within", f"{WITHIN:g}s")
    guests.kill_daemon()
    said = outcome(child, status=1, timeout=120)
    seconds = time.monotonic() - begun
    guests.set_save_rate(0)
    guests.start_daemon()
    assert seconds < WITHIN + TOLERANCE
    for name in NAMES:
        assert f"{name}: unknown after" in said
    assert "its state could not be read" in said
    last = slow_guestctl.json("history")[0]
    assert (bool(last["ended"]), last["ok"]) == (True, False)
    assert {guest["outcome"] for guest in last["guests"]} == {"unknown"}
    assert_untouched(slow_guestctl, before)
    slow_guestctl.run("shutdown", "--preserve")
    assert outcomes(slow_guestctl.json("start")) == dict.fromkeys(NAMES, "resumed")


def test_does_not_come_back_in_a_shutdown(
    guests: SessionDaemon, before: dict[str, Tick], slow_guestctl: Guestctl
) -> None:
    """Guests that were to be off for good, and that nobody knows to be off, stay wanted."""
    slow_guestctl.configure('[shutdown]\nshutdown-timeout = "1min"\n')
    child = launch_alone(slow_guestctl, "shutdown", "--all", "--within", "12s")
    for name in NAMES:
        wait_for_press(guests, name)
    guests.kill_daemon()
    said = outcome(child, status=1, timeout=120)
    rows = unreachable_list(slow_guestctl)
    guests.start_daemon()
    assert all(f"{name}: unknown after" in said for name in NAMES)
    assert {row["state"] for row in rows.values()} == {"unknown"}
    assert {row["wanted"] for row in rows.values()} == {"on"}
    assert_untouched(slow_guestctl, before)


def unreachable_list(guestctl: Guestctl) -> dict[str, Any]:
    """What `list` says while libvirtd is down."""
    child = launch_alone(guestctl, "list", "--json")
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 4
    return by_name(json.loads(out))


def test_is_not_there_when_a_run_begins(
    guests: SessionDaemon, before: dict[str, Tick], slow_guestctl: Guestctl
) -> None:
    guests.kill_daemon()
    for verb in (["shutdown", "--preserve"], ["start"]):
        assert "cannot connect" in outcome(launch_alone(slow_guestctl, *verb), status=4)
    guests.start_daemon()
    assert_untouched(slow_guestctl, before)


def test_dies_in_a_restore(
    guests: SessionDaemon, before: dict[str, Tick], slow_guestctl: Guestctl
) -> None:
    """Whatever became of the starts under way: each guest is up in the end, from its save."""
    slow_guestctl.run("shutdown", "--preserve")
    child = launch_alone(slow_guestctl, "start")
    begins(child, "resume begins")
    guests.kill_daemon()
    guests.start_daemon()
    child.communicate(timeout=120)
    slow_guestctl.run("start")
    for name, tick in before.items():
        assert guests.state(name) == "running"
        assert went_on(guests, name, tick)
        assert steps_since_preserve(slow_guestctl, name) <= {"resume"}


def steps_since_preserve(guestctl: Guestctl, name: str) -> set[str]:
    """What the restores of the ledger did to the guest."""
    runs = [run for run in guestctl.json("history") if run["kind"] == "restore"]
    return {step["step"] for run in runs for step in run["steps"] if step["name"] == name}
