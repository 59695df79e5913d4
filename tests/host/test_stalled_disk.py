"""The disk under /var/lib/guestctl answers nothing any more, and then a real host goes down."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.conftest import NewHost
from tests.host.support import image, newest_ticks, wait_restored, went_on
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

NAMES = ("web", "db")
#: Seconds: the ledger is waited for once, 20 s, and a guest of this size is saved in one.
SAVED_WITHIN = 60.0


@contextlib.contextmanager
def disk_of_its_own(folder: Path, file: Path) -> Iterator[None]:
    """A file system in the folder, which can be frozen."""
    with file.open("wb") as image_file:
        image_file.truncate(32 * 2**20)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mkfs.ext4", "-q", file], check=True)
    subprocess.run(["mount", "-o", "loop", file, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Who calls on its file system meanwhile hangs, and not even SIGKILL ends that."""
    subprocess.run(["fsfreeze", "--freeze", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", folder], check=True)


def test_guests_are_saved_and_come_back(new_host: NewHost, suite: str, tmp_path: Path) -> None:
    host = new_host(suite)
    state = host.path("/var/lib/guestctl")
    with disk_of_its_own(state, tmp_path / "state.img"):
        host.boot()
        host.start_all([GuestSpec(name) for name in NAMES])
        before = newest_ticks(host, NAMES)
        with frozen(state):
            reload_in_time(host)
            begun = time.monotonic()
            off = host.popen("systemctl poweroff", stdout=subprocess.DEVNULL)
            wait_until(lambda: are_saved(host), SAVED_WITHIN, "saves of all guests")
            print(f"saved after {time.monotonic() - begun:.1f} s")
        off.wait(60)
        host.wait_off()
        host.boot()
        wait_restored(host)
        assert all(went_on(host, name, before[name]) for name in NAMES)


def reload_in_time(host: Host) -> None:
    """`systemctl reload` does not hang either."""
    begun = time.monotonic()
    host.run("systemctl reload guestctl")
    assert time.monotonic() - begun < 10


def are_saved(host: Host) -> bool:
    """Whether there is a save of each guest, and none of them runs any more."""
    running = host.run("virsh list --name", check=False).stdout.split()
    return not set(NAMES) & set(running) and all(image(host, name).exists() for name in NAMES)
