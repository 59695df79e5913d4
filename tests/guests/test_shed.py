"""Guests that are shed while others go on, and come back where they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testbed import console
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import NEVER_DONE, SOME_SECONDS, kill, outcomes
from .support import (
    by_name,
    cleared,
    fresh,
    last_tick,
    launch,
    listed,
    next_tick,
    outcome,
    override,
    running,
    trail,
    wait_for_job,
    wait_for_press,
    went_on,
)

pytestmark = pytest.mark.guests

BATCH, CACHE, ROUTER = GuestSpec("batch"), GuestSpec("cache", button="slow:3"), GuestSpec("router")
CONFIG = override(BATCH.name, "order = 30") + override(CACHE.name, "order = 20", 'save = "none"')


@pytest.fixture(scope="module")
def guests(slow: SessionDaemon) -> Iterator[SessionDaemon]:
    with cleared(slow):
        yield slow


@pytest.fixture(autouse=True)
def up(guests: SessionDaemon) -> None:
    guests.set_save_rate(0)
    for spec in (BATCH, CACHE, ROUTER):
        running(guests, spec)
        next_tick(guests, spec.name)


def test_by_number_and_back(guests: SessionDaemon) -> None:
    guestctl = fresh(guests, CONFIG)
    batch, router = last_tick(guests, BATCH.name), last_tick(guests, ROUTER.name)
    shown = by_name(guestctl.json("shed", "--dry-run"))
    assert [step["step"] for step in shown[BATCH.name]["steps"]] == ["save", "shutdown", "poweroff"]
    assert "save (at most" in guestctl.run("shed", "--dry-run").stdout
    assert outcomes(guestctl.json("shed", "--reason", "on battery")) == {BATCH.name: "saved"}
    assert outcomes(guestctl.json("shed")) == {CACHE.name: "shut-down"}
    assert "no guest that is up has an `order`" in guestctl.run("shed", status=2).stderr
    row = listed(guestctl, BATCH.name)
    assert (row["shed"], row["wanted"], row["next_boot"]) == ("on battery", "on", "resume")
    assert f"{BATCH.name}: shed (on battery)" in guestctl.run("list").stdout
    assert "shed since" in guestctl.run("why", BATCH.name).stdout
    back = outcomes(guestctl.json("resume"))
    assert back == {BATCH.name: "resumed", CACHE.name: "started"}
    assert went_on(guests, BATCH.name, batch)
    assert went_on(guests, ROUTER.name, router)
    assert "nobody is shed" in guestctl.run("resume").stdout
    triggers = [run["trigger"] for run in guestctl.json("history")]
    assert triggers == ["resume", "resume", "shed", "shed"]


def test_who_was_started_by_others_is_left_to_them(guests: SessionDaemon) -> None:
    guestctl = fresh(guests, CONFIG)
    guestctl.json("shed", BATCH.name, CACHE.name)
    guests.virsh("start", guests.id_of(BATCH.name))
    guests.virsh("destroy", guests.id_of(BATCH.name))
    assert outcomes(guestctl.json("resume")) == {CACHE.name: "started"}
    assert listed(guestctl, BATCH.name)["wanted"] == "off"


def test_killed_in_mid_shed(guests: SessionDaemon) -> None:
    """Its save goes on in libvirtd, and resume waits for that."""
    guestctl = fresh(guests, CONFIG)
    before = last_tick(guests, BATCH.name)
    guests.set_save_rate(NEVER_DONE)
    child = launch(guestctl, "shed", BATCH.name)
    wait_for_job(guests, BATCH.name, "Save")
    kill(child)
    guests.set_save_rate(SOME_SECONDS)
    assert outcomes(guestctl.json("resume")) == {BATCH.name: "resumed"}
    assert went_on(guests, BATCH.name, before)


def test_the_power_comes_back_in_the_midst_of_it(guests: SessionDaemon) -> None:
    """The save is aborted; who was asked to shut down may do so all the same, and comes back."""
    guestctl = fresh(guests, CONFIG)
    before = last_tick(guests, BATCH.name)
    guests.set_save_rate(NEVER_DONE)
    presses = console.presses(guests.console(CACHE.name))
    child = launch(guestctl, "shed", "--order", "20")
    wait_for_press(guests, CACHE.name, more_than=presses)
    back = by_name(guestctl.json("resume"))
    outcome(child, status=1)
    assert back[CACHE.name]["outcome"] == "started"
    assert went_on(guests, BATCH.name, before)
    assert {listed(guestctl, it.name)["shed"] for it in (BATCH, CACHE)} == {None}
    assert "the run was interrupted" in " ".join(trail(guestctl, BATCH.name))
