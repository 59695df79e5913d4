"""Saves go to a small file system: who fits is saved, the others are shut down."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Guestctl
from tests.testbed.commands import run
from tests.testbed.guests import GuestSpec
from tests.testbed.session import USER, SessionDaemon

from .failures_support import NEVER_DONE, outcomes, save_folder, up
from .support import (
    begins,
    by_name,
    cleared,
    last_tick,
    launch,
    listed,
    next_tick,
    outcome,
    said_bye,
    steps,
    trail,
    wait_for_job,
    went_on,
)

# Only root can mount.
pytestmark = pytest.mark.hosts

SMALL, MIDDLE, BIG = SPECS = (
    GuestSpec("small"),
    GuestSpec("middle", memory_mib=112),
    GuestSpec("big", memory_mib=128),
)
#: Room for two of them beside the reserve.
ROOM_MIB, RESERVE_MIB = 220, 4
CONFIG = f'[shutdown]\nsave-reserve = "{RESERVE_MIB}MiB"\n'


@contextlib.contextmanager
def small_file_system(folder: Path, mebibytes: int) -> Iterator[None]:
    """A file system of that size on the folder, its owner the session's user."""
    user = pwd.getpwnam(USER)
    options = f"size={mebibytes}m,mode=0755,uid={user.pw_uid},gid={user.pw_gid}"
    # It sees its input end also when these tests are killed, and outlives them until then.
    # Lazily: whatever still holds a file there must not keep the mount.
    argv = ["/bin/sh", "-c", 'read -r _; exec umount --lazy "$0"', str(folder)]
    guard = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)
    try:
        run(["mount", "-t", "tmpfs", "-o", options, "guestctl-test", folder])
        yield
    finally:
        guard.communicate(timeout=30)


@pytest.fixture(scope="module")
def guests(slow: SessionDaemon) -> Iterator[SessionDaemon]:
    """All of them, running, with little room for their saves."""
    folder = save_folder(slow)
    slow.run(["mkdir", "-p", str(folder)])
    with small_file_system(folder, ROOM_MIB), cleared(slow):
        slow.set_save_rate(0)
        slow.start_all(list(SPECS))
        yield slow


@pytest.fixture
def guestctl(slow_guestctl: Guestctl) -> Guestctl:
    """The command, with a reserve that suits the room."""
    slow_guestctl.configure(CONFIG)
    return slow_guestctl


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Not a byte is free in the folder."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 2**20)
    try:
        yield
    finally:
        filler.unlink()


def test_who_does_not_fit_is_shut_down(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """`plan` says so beforehand; the others are saved, and all come back."""
    up(guests, *SPECS)
    before = {spec.name: last_tick(guests, spec.name) for spec in (SMALL, MIDDLE)}
    planned = by_name(guestctl.json("plan"))[BIG.name]
    assert [step["step"] for step in planned["steps"]] == ["shutdown", "poweroff"]
    assert "no room: it can take 128MiB" in planned["left_out"]["save"]
    result = guestctl.json("shutdown", "--preserve")
    assert outcomes(result) == {**dict.fromkeys(before, "saved"), BIG.name: "shut-down"}
    assert said_bye(guests, BIG.name)
    assert any("no save: no room" in reason for reason in trail(guestctl, BIG.name))
    assert os.statvfs(save_folder(guests)).f_bfree > 0
    ups = outcomes(guestctl.json("start"))
    assert ups == {**dict.fromkeys(before, "resumed"), BIG.name: "started"}
    for name, tick in before.items():
        assert went_on(guests, name, tick)


def test_room_that_goes_in_mid_save(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """The save fails, the guest is shut down, and the next start finds no half of an image."""
    up(guests, SMALL)
    before = next_tick(guests, SMALL.name)
    guests.set_save_rate(NEVER_DONE)
    child = launch(guestctl, "shutdown", "--preserve", SMALL.name)
    wait_for_job(guests, SMALL.name, "Save")
    with filled(save_folder(guests)):
        guests.set_save_rate(0)
        said = begins(child, f"{SMALL.name}: save failed")
        said += outcome(child)
        assert f"{SMALL.name}: shut-down after" in said
        assert listed(guestctl, SMALL.name)["next_boot"] == "start"
        assert [path.name for path in save_folder(guests).iterdir()] == ["filler"]
    guest = by_name(guestctl.json("history")[0])[SMALL.name]
    assert guest["outcome"] == "shut-down"
    assert "save:" in guest["reason"]
    assert outcomes(guestctl.json("start")) == {SMALL.name: "started"}
    assert next_tick(guests, SMALL.name).boot_id != before.boot_id


def test_no_room_at_all_and_nothing_else_allowed(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """The guest is left as it is, and the run says that it is not safe."""
    guestctl.configure(CONFIG + 'shutdown = "none"\npoweroff = "none"\n')
    up(guests, SMALL)
    with filled(save_folder(guests)):
        result = guestctl.json("shutdown", "--preserve", SMALL.name, status=1)
    guest = by_name(result)[SMALL.name]
    assert guest["outcome"] == "failed"
    assert steps(guest) == {}
    assert "no room" in guest["reason"]
    assert guests.state(SMALL.name) == "running"
