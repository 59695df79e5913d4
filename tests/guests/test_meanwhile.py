"""What happens to guests and to libvirt while a run goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.conftest import Guestctl
from tests.testbed import console
from tests.testbed.guests import GuestSpec
from tests.testbed.processes import belongs_to, send
from tests.testbed.session import SessionDaemon

from .support import (
    all_ids,
    begins,
    by_name,
    cleared,
    last_tick,
    launch,
    next_tick,
    outcome,
    override,
    running,
    said_bye,
    wait_for_press,
    went_on,
)

pytestmark = pytest.mark.guests

#: It takes its time to shut down, and the run goes on for as long.
LINGERS = GuestSpec("lingers", button="slow:25")
LATE = GuestSpec("late")
UNDEFINED = GuestSpec("undefined", button="slow:3")
RENAMED = GuestSpec("old name")
SHUT_DOWN = (LINGERS, UNDEFINED, RENAMED)
CONFIG = "".join(override(spec.name, 'save = "none"') for spec in SHUT_DOWN)


@pytest.fixture(scope="module")
def guests(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """All of them, running."""
    with cleared(daemon):
        daemon.start_all([LINGERS, LATE, UNDEFINED, RENAMED])
        yield daemon


def test_guests_change_under_the_run(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """One is started, twice, one undefined, one renamed, while another keeps the run going."""
    guestctl.configure(CONFIG)
    late, undefined, renamed = (guests.id_of(s.name) for s in (LATE, UNDEFINED, RENAMED))
    before = last_tick(guests, LATE.name)
    guests.virsh("managedsave", late)
    child = launch(guestctl, "shutdown", "--preserve")
    said = begins(child, f"{UNDEFINED.name}: shutdown begins")
    guests.virsh("undefine", undefined)
    for _ in range(2):
        guests.virsh("start", late)
        said += begins(child, f"{LATE.name}: saved after")
    guests.wait_for_state(RENAMED.name, "shut off")
    guests.virsh("domrename", renamed, "new name")
    said += outcome(child)
    assert said.count(f"{LATE.name}: came up meanwhile") == 2
    for spec in SHUT_DOWN:
        assert f"{spec.name}: shut-down after" in said
        assert said_bye(guests, spec.name)
    assert undefined not in all_ids(guests)
    up = {name: guest["outcome"] for name, guest in by_name(guestctl.json("start")).items()}
    assert up == {LINGERS.name: "started", LATE.name: "resumed", "new name": "started"}
    assert went_on(guests, LATE.name, before)


def test_libvirtd_dies_in_mid_run(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """The run connects again and goes on."""
    guestctl.configure(CONFIG)
    running(guests, UNDEFINED)
    next_tick(guests, UNDEFINED.name)
    presses = console.presses(guests.console(UNDEFINED.name))
    child = launch(guestctl, "shutdown", "--preserve", UNDEFINED.name)
    begins(child, f"{UNDEFINED.name}: shutdown begins")
    wait_for_press(guests, UNDEFINED.name, presses)
    guests.kill_daemon()
    guests.start_daemon()
    said = outcome(child)
    assert f"{UNDEFINED.name}: shut-down after" in said
    assert guests.state(UNDEFINED.name) == "shut off"
    assert by_name(guestctl.json("list"))[UNDEFINED.name]["next_boot"] == "start"


def test_qemu_that_does_not_answer_is_powered_off(
    guests: SessionDaemon, guestctl: Guestctl
) -> None:
    """Frozen: the save cannot even be aborted.  The plug is pulled all the same, and in time."""
    guestctl.configure('[shutdown]\nsave-timeout = "2s"\nshutdown = "none"\ndeadline = "10s"\n')
    running(guests, LATE)
    pid = guests.qemu_pid(LATE.name)
    assert send(pid, signal.SIGSTOP, lambda number: belongs_to(number, guests.folder))
    begun = time.monotonic()
    # Ends well or not: what became of the guest is what counts here.
    guestctl.daemon.run(guestctl.argv("shutdown", "--preserve", LATE.name), check=False)
    taken = time.monotonic() - begun
    assert guests.state(LATE.name) == "shut off"
    assert taken < 30
