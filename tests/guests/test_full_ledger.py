"""The ledger's file system is full: guests of a host that stays up go on where they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Guestctl
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import NEVER_DONE, outcomes, up
from .support import (
    by_name,
    cleared,
    fresh,
    last_tick,
    launch,
    listed,
    outcome,
    wait_for_job,
    went_on,
)
from .test_failures_room import filled, small_file_system

# Only root can mount.
pytestmark = pytest.mark.hosts

#: The longest save comes first, and no other beside it.
FIRST, SECOND = GuestSpec("first", memory_mib=128), GuestSpec("second")
CONFIG = "[shutdown]\nparallel = 1\n"


@pytest.fixture(scope="module")
def guests(slow: SessionDaemon) -> Iterator[SessionDaemon]:
    with cleared(slow):
        slow.set_save_rate(0)
        slow.start_all([FIRST, SECOND])
        yield slow


@pytest.fixture
def guestctl(guests: SessionDaemon) -> Iterator[Guestctl]:
    """The command, with a ledger on a small file system of its own."""
    made = fresh(guests)
    with small_file_system(made.state, 4):
        made.configure(CONFIG)
        made.run("list")
        yield made


def test_nobody_is_touched_and_nothing_is_lost(guests: SessionDaemon, guestctl: Guestctl) -> None:
    up(guests, FIRST, SECOND)
    guestctl.run("start")
    before = {spec.name: last_tick(guests, spec.name) for spec in (FIRST, SECOND)}
    with filled(guestctl.state):
        for verb in (["--preserve"], [FIRST.name], ["--all"]):
            found = by_name(guestctl.json("shutdown", *verb, status=1))
            assert {one["outcome"] for one in found.values()} == {"failed"}
            assert all("--without-ledger" in one["reason"] for one in found.values())
        for name, tick in before.items():
            assert guests.state(name) == "running"
            assert went_on(guests, name, tick)
    assert listed(guestctl, FIRST.name)["wanted"] == "on"
    assert outcomes(guestctl.json("shutdown", "--preserve")) == dict.fromkeys(before, "saved")
    assert outcomes(guestctl.json("start")) == dict.fromkeys(before, "resumed")


def test_whoever_insists_has_it_taken_down(guests: SessionDaemon, guestctl: Guestctl) -> None:
    up(guests, FIRST, SECOND)
    guestctl.run("start")
    with filled(guestctl.state):
        insists = guestctl.json("shutdown", "--preserve", "--without-ledger", FIRST.name)
        assert outcomes(insists) == {FIRST.name: "saved"}
    assert outcomes(guestctl.json("start", FIRST.name)) == {FIRST.name: "resumed"}


def test_a_disk_that_is_full_in_mid_run(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """Whom the run has begun with is remembered; who comes after that stays up."""
    up(guests, FIRST, SECOND)
    guestctl.run("start")
    guests.set_save_rate(NEVER_DONE)
    child = launch(guestctl, "shutdown", "--preserve")
    wait_for_job(guests, FIRST.name, "Save")
    with filled(guestctl.state):
        guests.set_save_rate(0)
        outcome(child, status=1)
        states = {spec.name: guests.state(spec.name) for spec in (FIRST, SECOND)}
        assert states == {FIRST.name: "shut off", SECOND.name: "running"}
    assert {listed(guestctl, name)["wanted"] for name in states} == {"on"}
    assert outcomes(guestctl.json("start")) == {FIRST.name: "resumed"}
