"""The power of a real host is cut at the worst times, and a save that was used up comes back."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.host.conftest import NewHost
from tests.host.support import (
    boots_of,
    image,
    in_process,
    listed,
    lived_once,
    newest_run,
    newest_tick,
    trail,
    wait_restored,
    wait_saving,
    went_on,
)
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

USED_UP, IN_SAVE, IN_RESTORE, RUNS = NAMES = ("used up", "in save", "in restore", "runs")
KEPT = "var/lib/libvirt/kept.save"
#: Bytes a second: the power is gone before the save is done.
NEVER_DONE = 500_000


def test_power_cuts(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.slow_saves(0)
    host.boot()
    host.start_all([GuestSpec(name) for name in NAMES])
    before = save_all_but_those_that_run(host)
    use_up(host, before[USED_UP])
    cut_power_in_save_and_restore(host)
    put_back(host)
    host.boot()
    wait_restored(host)

    assert all(lived_once(host, name) for name in NAMES)
    assert_held(host, before[USED_UP])
    assert_booted_without_its_save(host)
    assert_back_or_held(host, before[IN_RESTORE])
    assert_booted_anew(host)
    discard(host)

    once_more_in_order(host)


def save_all_but_those_that_run(host: Host) -> dict[str, Tick]:
    """Two guests are saved; the newest sign of life of all."""
    host.run(["guestctl", "shutdown", "--preserve", USED_UP, IN_RESTORE])
    return {name: newest_tick(host, name) for name in NAMES}


def use_up(host: Host, before: Tick) -> None:
    """Resume one, and keep its image as a power cut may that undoes the unlink."""
    os.link(image(host, USED_UP), host.root / KEPT)
    host.run(["guestctl", "start", USED_UP])
    assert went_on(host, USED_UP, before)
    assert not image(host, USED_UP).exists()


def cut_power_in_save_and_restore(host: Host) -> None:
    """One guest is in its save, whose run was killed before, and one is being resumed."""
    host.slow_saves(NEVER_DONE)
    preserve = in_process("shutdown", "--preserve", IN_SAVE)
    child = host.popen(preserve, stdout=subprocess.DEVNULL)
    wait_saving(host, [IN_SAVE])
    child.kill()
    child.wait(20)
    child = host.popen(["guestctl", "start", IN_RESTORE], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        assert any("resume begins" in line for line in child.stdout)
        host.power_cut()


def put_back(host: Host) -> None:
    """The image's unlink did not survive the power cut: the same inode, size and time."""
    os.link(host.root / KEPT, image(host, USED_UP))
    host.slow_saves(0)


def assert_held(host: Host, before: Tick) -> None:
    """Resumed once more, it would write over what it wrote since."""
    row = listed(host)[USED_UP]
    assert (row["state"], row["saved"], row["wanted"]) == ("shut off", True, "on")
    assert row["next_boot"] == "held"
    assert "resumed from this save" in row["held"]
    assert booted(host, USED_UP) == "held"
    assert boots_of(host, USED_UP) == [before.boot_id]


def assert_booted_without_its_save(host: Host) -> None:
    """libvirt ignores what was only half written, and the trail says so."""
    assert booted(host, IN_SAVE) == "started"
    assert any("save was incomplete" in reason for reason in trail(host, IN_SAVE))
    assert len(boots_of(host, IN_SAVE)) == 2
    assert not image(host, IN_SAVE).exists()


def assert_back_or_held(host: Host, before: Tick) -> None:
    """The image is there still, and may have been used; or it is gone, and surely was."""
    row = listed(host)[IN_RESTORE]
    assert row["wanted"] == "on"
    if row["held"]:
        assert (row["state"], row["saved"]) == ("shut off", True)
        host.run(["guestctl", "start", "--resume-anyway", IN_RESTORE])
        assert went_on(host, IN_RESTORE, before)
    assert host.state(IN_RESTORE) == "running"


def assert_booted_anew(host: Host) -> None:
    """What ran when the power went runs again, from one start."""
    assert booted(host, RUNS) == "started"
    assert host.state(RUNS) == "running"
    assert len(boots_of(host, RUNS)) == 2


def discard(host: Host) -> None:
    """A person decides against the save: the guest boots, and is held no more."""
    host.run(["guestctl", "start", "--discard-save", USED_UP])
    assert len(boots_of(host, USED_UP)) == 2
    assert not image(host, USED_UP).exists()
    assert listed(host)[USED_UP]["held"] is None


def once_more_in_order(host: Host) -> None:
    """After all that, an orderly shutdown and boot find nothing amiss."""
    before = {name: newest_tick(host, name) for name in NAMES}
    host.reboot()
    wait_restored(host)
    assert {booted(host, name) for name in NAMES} == {"resumed"}
    for name, tick in before.items():
        assert went_on(host, name, tick)


def booted(host: Host, name: str) -> str:
    """What the newest restore at a boot did with the guest."""
    outcome: str = newest_run(host, trigger="boot")["guests"][name]["outcome"]
    return outcome
