"""guestctl is killed somewhere in a run: the next one goes on from what it finds."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.conftest import Guestctl
from tests.testbed import console
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import (
    NEVER_DONE,
    SOME_SECONDS,
    cut_off,
    kill,
    killed_at,
    killed_in_save,
    outcomes,
    restore_gate,
    signal_qemu,
    up,
    wait_for_no_job,
)
from .support import (
    begins,
    cleared,
    last_tick,
    launch,
    listed,
    next_tick,
    outcome,
    override,
    said_bye,
    trail,
    wait_for_press,
    went_on,
)

pytestmark = pytest.mark.guests

#: It ignores its button, so that only a save or a poweroff ends it.
SAVED = GuestSpec("saved", button="ignore")
LINGERS = GuestSpec("lingers", button="slow:12")
CONFIG = override(LINGERS.name, 'save = "none"')


@pytest.fixture(scope="module")
def guests(slow: SessionDaemon) -> Iterator[SessionDaemon]:
    """Both of them, running."""
    with cleared(slow):
        slow.set_save_rate(0)
        slow.start_all([SAVED, LINGERS])
        yield slow


@pytest.fixture
def saved(guests: SessionDaemon) -> Tick:
    """The first guest runs; its newest tick."""
    up(guests, SAVED)
    return last_tick(guests, SAVED.name)


@pytest.fixture
def lingers(guests: SessionDaemon) -> int:
    """The second guest runs and listens to its button; the presses it has seen."""
    up(guests, LINGERS)
    next_tick(guests, LINGERS.name)
    return console.presses(guests.console(LINGERS.name))


def assert_comes_back(guestctl: Guestctl, before: Tick) -> None:
    """`start` resumes the first guest where it was, and a second one finds nothing to do."""
    assert outcomes(guestctl.json("start")) == {SAVED.name: "resumed"}
    assert went_on(guestctl.daemon, SAVED.name, before)
    assert outcomes(guestctl.json("start")) == {}


# -- in a save -------------------------------------------------------------------------------


def test_in_a_save_and_preserved_again(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    """The save, which goes on in libvirtd, is waited for; no second one is begun."""
    killed_in_save(slow_guestctl, SAVED.name)
    child = launch(slow_guestctl, "shutdown", "--preserve", SAVED.name)
    begins(child, "preserve of 1")
    guests.set_save_rate(SOME_SECONDS)
    said = outcome(child)
    assert f"{SAVED.name}: saved after" in said
    assert "save begins" not in said
    assert "waited for its save to end" in trail(slow_guestctl, SAVED.name)
    assert cut_off(slow_guestctl) == [True, False]
    assert_comes_back(slow_guestctl, saved)


def test_in_a_save_that_ends_with_nobody_there(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    killed_in_save(slow_guestctl, SAVED.name)
    guests.set_save_rate(0)
    guests.wait_for_state(SAVED.name, "shut off")
    row = listed(slow_guestctl, SAVED.name)
    assert (row["saved"], row["wanted"], row["next_boot"]) == (True, "on", "resume")
    result = slow_guestctl.json("shutdown", "--preserve", SAVED.name)
    assert outcomes(result) == {SAVED.name: "skipped"}
    assert_comes_back(slow_guestctl, saved)


def test_in_a_save_and_started_while_it_goes_on(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    """The guest is on its way down, not up: whatever this start does, the guest is not lost."""
    killed_in_save(slow_guestctl, SAVED.name)
    child = launch(slow_guestctl, "start")
    guests.set_save_rate(SOME_SECONDS)
    outcome(child)
    wait_for_no_job(guests, SAVED.name)
    assert listed(slow_guestctl, SAVED.name)["wanted"] == "on"
    slow_guestctl.run("start")
    assert guests.state(SAVED.name) == "running"
    assert went_on(guests, SAVED.name, saved)


# -- in a shutdown ---------------------------------------------------------------------------


def killed_in_shutdown(guestctl: Guestctl, presses: int) -> None:
    """A preserve is killed once the second guest was asked to shut down."""
    guestctl.configure(CONFIG)
    child = launch(guestctl, "shutdown", "--preserve", LINGERS.name)
    wait_for_press(guestctl.daemon, LINGERS.name, presses)
    kill(child)


def assert_boots(guestctl: Guestctl, boots: int) -> None:
    """`start` boots the second guest, once."""
    daemon, name = guestctl.daemon, LINGERS.name
    assert outcomes(guestctl.json("start")) == {name: "started"}
    next_tick(daemon, name)
    assert outcomes(guestctl.json("start")) == {}
    assert len(console.boots(daemon.console(name))) == boots + 1


def boots_of(daemon: SessionDaemon) -> int:
    """How often the second guest has booted."""
    return len(console.boots(daemon.console(LINGERS.name)))


def test_in_a_shutdown_that_ends_with_nobody_there(
    guests: SessionDaemon, lingers: int, slow_guestctl: Guestctl
) -> None:
    boots = boots_of(guests)
    killed_in_shutdown(slow_guestctl, lingers)
    guests.wait_for_state(LINGERS.name, "shut off")
    assert said_bye(guests, LINGERS.name)
    row = listed(slow_guestctl, LINGERS.name)
    assert (row["wanted"], row["next_boot"]) == ("on", "start")
    assert_boots(slow_guestctl, boots)


def test_in_a_shutdown_and_preserved_again(
    guests: SessionDaemon, lingers: int, slow_guestctl: Guestctl
) -> None:
    boots = boots_of(guests)
    killed_in_shutdown(slow_guestctl, lingers)
    result = slow_guestctl.json("shutdown", "--preserve", LINGERS.name)
    assert outcomes(result) == {LINGERS.name: "shut-down"}
    assert said_bye(guests, LINGERS.name)
    assert cut_off(slow_guestctl) == [True, False]
    assert_boots(slow_guestctl, boots)


def test_in_a_shutdown_and_started_while_it_goes_on(
    guests: SessionDaemon, lingers: int, slow_guestctl: Guestctl
) -> None:
    """It was asked for the host's sake: that it then goes down is nobody else's will."""
    boots = boots_of(guests)
    killed_in_shutdown(slow_guestctl, lingers)
    slow_guestctl.daemon.run(slow_guestctl.argv("start"), check=False)
    guests.wait_for_state(LINGERS.name, "shut off")
    assert listed(slow_guestctl, LINGERS.name)["wanted"] == "on"
    assert_boots(slow_guestctl, boots)


# -- between steps ---------------------------------------------------------------------------


def test_between_save_and_shutdown(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    """The aborted save has left nothing; the next run saves the guest anew."""
    slow_guestctl.configure('[shutdown]\nsave-timeout = "1s"\n')
    guests.set_save_rate(NEVER_DONE)
    line = f"{SAVED.name}: save timed out"
    killed_at(slow_guestctl, line, "shutdown", "--preserve", SAVED.name)
    assert guests.state(SAVED.name) == "running"
    assert not list(guests.folder.rglob("*.save"))
    guests.set_save_rate(0)
    slow_guestctl.configure("")
    result = slow_guestctl.json("shutdown", "--preserve", SAVED.name)
    assert outcomes(result) == {SAVED.name: "saved"}
    assert_comes_back(slow_guestctl, saved)


def test_between_shutdown_and_poweroff(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    """Whether its plug was pulled yet or not: it ends up off, and boots again once."""
    slow_guestctl.configure('[shutdown]\nsave = "none"\nshutdown-timeout = "1s"\n')
    line = f"{SAVED.name}: shutdown timed out"
    killed_at(slow_guestctl, line, "shutdown", "--preserve", SAVED.name)
    result = slow_guestctl.json("shutdown", "--preserve", SAVED.name)
    assert outcomes(result)[SAVED.name] in ("powered-off", "skipped")
    assert guests.state(SAVED.name) == "shut off"
    assert outcomes(slow_guestctl.json("start")) == {SAVED.name: "started"}
    assert next_tick(guests, SAVED.name).boot_id != saved.boot_id
    assert outcomes(slow_guestctl.json("start")) == {}


# -- in a restore ----------------------------------------------------------------------------


def test_in_a_restore_and_started_while_it_goes_on(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    """Neither is it started twice, nor its save taken for one that was used up."""
    slow_guestctl.run("shutdown", "--preserve", SAVED.name)
    with restore_gate(guests) as open_gate:
        child = launch(slow_guestctl, "start", SAVED.name)
        guests.wait_for_state(SAVED.name, "paused")
        kill(child)
        child = launch(slow_guestctl, "start")
        begins(child, "restore of")
        open_gate()
        outcome(child)
        guests.wait_for_state(SAVED.name, "running")
    assert went_on(guests, SAVED.name, saved)
    assert outcomes(slow_guestctl.json("start")) == {}
    row = listed(slow_guestctl, SAVED.name)
    assert (row["wanted"], row["held"], row["next_boot"]) == ("on", None, "resume")


def test_in_a_restore_and_preserved_while_it_goes_on(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    slow_guestctl.run("shutdown", "--preserve", SAVED.name)
    with restore_gate(guests) as open_gate:
        child = launch(slow_guestctl, "start", SAVED.name)
        guests.wait_for_state(SAVED.name, "paused")
        kill(child)
        child = launch(slow_guestctl, "shutdown", "--preserve", SAVED.name)
        begins(child, "preserve of 1")
        open_gate()
        outcome(child)
    assert listed(slow_guestctl, SAVED.name)["saved"]
    assert_comes_back(slow_guestctl, saved)


def test_just_before_a_restore(guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl) -> None:
    """libvirt was asked, or not: the next start finds out."""
    slow_guestctl.run("shutdown", "--preserve", SAVED.name)
    killed_at(slow_guestctl, f"{SAVED.name}: resume begins", "start", SAVED.name)
    slow_guestctl.run("start")
    guests.wait_for_state(SAVED.name, "running")
    assert went_on(guests, SAVED.name, saved)
    assert cut_off(slow_guestctl)[1:] == [True, False]


def test_qemu_dies_in_a_restore(
    guests: SessionDaemon, saved: Tick, slow_guestctl: Guestctl
) -> None:
    """And guestctl with it: the save is whole, and not taken for one that was used up."""
    slow_guestctl.run("shutdown", "--preserve", SAVED.name)
    with restore_gate(guests):
        child = launch(slow_guestctl, "start", SAVED.name)
        guests.wait_for_state(SAVED.name, "paused")
        kill(child)
        signal_qemu(guests, SAVED.name, signal.SIGKILL)
    guests.wait_for_state(SAVED.name, "shut off")
    assert listed(slow_guestctl, SAVED.name)["next_boot"] == "resume"
    assert_comes_back(slow_guestctl, saved)
