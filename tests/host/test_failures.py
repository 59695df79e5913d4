"""The power of a real host is cut at the worst times, and a save that was used up comes back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.host.conftest import NewHost
from tests.testbed.console import Tick, boots, last_tick, read_ticks, wait_for_tick, was_resumed
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

USED_UP, IN_SAVE, IN_RESTORE, RUNS = NAMES = ("used up", "in save", "in restore", "runs")
SAVES = "var/lib/libvirt/qemu/save"
KEPT = "var/lib/libvirt/kept.save"
#: Bytes a second: the power is gone before the save is done.
NEVER_DONE = 2_000_000


def test_power_cuts(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.slow_saves(0)
    host.boot()
    host.start_all([GuestSpec(name) for name in NAMES])
    before = prepare(host)
    cut_power_in_save_and_restore(host)
    put_back(host)
    host.boot()

    assert_held(host, before[USED_UP])
    assert_booted_without_its_save(host)
    assert_back_or_held(host, before[IN_RESTORE])
    assert len(boots_of(host, RUNS)) == 2
    assert host.state(RUNS) == "running"
    discard(host)

    once_more_in_order(host)


def prepare(host: Host) -> dict[str, Tick]:
    """Two guests are saved; one of them is resumed, and its image kept as a power cut may."""
    host.run(["guestctl", "shutdown", "--preserve", USED_UP, IN_RESTORE])
    before = {name: newest(host, name) for name in NAMES}
    os.link(image(host, USED_UP), host.root / KEPT)
    host.run(["guestctl", "start", USED_UP])
    assert went_on(host, USED_UP, before[USED_UP])
    assert not image(host, USED_UP).exists()
    return before


def cut_power_in_save_and_restore(host: Host) -> None:
    """One guest is in its save, whose run was killed before, and one is being resumed."""
    host.slow_saves(NEVER_DONE)
    child = host.popen(["guestctl", "shutdown", "--preserve", IN_SAVE], stdout=subprocess.DEVNULL)
    wait_until(lambda: is_half_saved(host), 30, f"save of {IN_SAVE!r}")
    child.kill()
    child.wait(20)
    child = host.popen(["guestctl", "start", IN_RESTORE], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        assert any("resume begins" in line for line in child.stdout)
        host.power_cut()


def is_half_saved(host: Host) -> bool:
    path = image(host, IN_SAVE)
    return path.exists() and path.stat().st_size > 0


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
    assert booted(host)[USED_UP]["outcome"] == "held"
    assert boots_of(host, USED_UP) == [before.boot_id]


def assert_booted_without_its_save(host: Host) -> None:
    """libvirt ignores what was only half written, and the trail says so."""
    guest = booted(host)[IN_SAVE]
    assert guest["outcome"] == "started"
    assert "its save was incomplete and libvirt ignored it" in guest["reason"]
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


def discard(host: Host) -> None:
    """A person decides against the save: the guest boots, and is held no more."""
    host.run(["guestctl", "start", "--discard-save", USED_UP])
    assert len(boots_of(host, USED_UP)) == 2
    assert not image(host, USED_UP).exists()
    assert listed(host)[USED_UP]["held"] is None


def once_more_in_order(host: Host) -> None:
    """After all that, an orderly shutdown and boot find nothing amiss."""
    before = {name: newest(host, name) for name in NAMES}
    host.reboot()
    assert {guest["outcome"] for guest in booted(host).values()} == {"resumed"}
    for name, tick in before.items():
        assert went_on(host, name, tick)


def image(host: Host, name: str) -> Path:
    """The guest's managed save."""
    return host.root / SAVES / f"{name}.save"


def newest(host: Host, name: str) -> Tick:
    tick = last_tick(host.console(name))
    assert tick is not None
    return tick


def went_on(host: Host, name: str, before: Tick) -> bool:
    """Wait for the guest's next tick; whether it is the one after `before`, of the same boot."""
    log = host.console(name)
    wait_for_tick(log, read_ticks(log).index(before) + 1)
    return was_resumed(log, before)


def boots_of(host: Host, name: str) -> list[str]:
    """The guest's boots, once a guest that runs has given its next sign of life."""
    log = host.console(name)
    if host.state(name) == "running":
        wait_for_tick(log, len(read_ticks(log)))
    return boots(log)


def listed(host: Host) -> dict[str, Any]:
    rows = json.loads(host.run(["guestctl", "list", "--json"]).stdout)
    return {row["name"]: row for row in rows}


def booted(host: Host) -> dict[str, Any]:
    """What the newest restore at a boot did to each guest."""
    runs = json.loads(host.run(["guestctl", "history", "--json"]).stdout)
    run = next(run for run in runs if run["door"] == "boot")
    return {guest["name"]: guest for guest in run["guests"]}


def trail(host: Host, name: str) -> list[str]:
    entries = json.loads(host.run(["guestctl", "why", "--json", name]).stdout)
    return [reason for _, reason, _ in entries]
