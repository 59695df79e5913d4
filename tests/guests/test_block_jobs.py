"""Block jobs and backups of others: libvirt saves no guest that has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon
from tests.testbed.waiting import wait_until

from .support import by_name, cleared, fresh, last_tick, steps, trail, went_on

pytestmark = pytest.mark.guests

COPIED, COMMITTED, BACKED_UP = "copied", "committed", "backed up"
ALL = (COPIED, COMMITTED, BACKED_UP)
CONFIG = '[shutdown]\njob-timeout = "2s"\nshutdown = "none"\npoweroff = "none"\n'


@pytest.fixture(scope="module")
def busy(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """A copy and a commit that are ready and that nobody ends, and a pull backup."""
    with cleared(daemon):
        for name in ALL:
            daemon.start(GuestSpec(name, button="ignore", disk=new_image(daemon, name)))
        begin_copy(daemon)
        begin_commit(daemon)
        begin_backup(daemon)
        yield daemon


def new_image(daemon: SessionDaemon, name: str) -> Path:
    path = daemon.folder / "s" / f"{name}.qcow2"
    daemon.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "8M"])
    return path


def begin_copy(daemon: SessionDaemon) -> None:
    copy = str(daemon.folder / "s/copy.qcow2")
    daemon.virsh("blockcopy", COPIED, "vda", "--dest", copy, "--transient-job")
    wait_until_ready(daemon, COPIED)


def begin_commit(daemon: SessionDaemon) -> None:
    options = ("--disk-only", "--no-metadata", "--diskspec")
    overlay = daemon.folder / "s/overlay.qcow2"
    daemon.virsh("snapshot-create-as", COMMITTED, *options, f"vda,file={overlay}")
    daemon.virsh("blockcommit", COMMITTED, "vda", "--active")
    wait_until_ready(daemon, COMMITTED)


def begin_backup(daemon: SessionDaemon) -> None:
    path = daemon.folder / "s/backup.xml"
    socket = daemon.folder / "s/nbd"
    server = f"<server transport='unix' socket='{socket}'/>"
    daemon.run(["tee", str(path)], input=f"<domainbackup mode='pull'>{server}</domainbackup>")
    daemon.virsh("backup-begin", BACKED_UP, str(path))


def wait_until_ready(daemon: SessionDaemon, name: str) -> None:
    """To be pivoted: from then on it goes on for ever."""
    wait_until(lambda: "ready='yes'" in daemon.virsh("dumpxml", name), 30, f"mirror of {name}")


def test_they_are_waited_for_and_aborted_and_the_guests_saved(busy: SessionDaemon) -> None:
    guestctl = fresh(busy, CONFIG)
    before = {name: last_tick(busy, name) for name in ALL}
    result = by_name(guestctl.json("shutdown", "--preserve"))
    assert [steps(result[name]) for name in ALL] == [{"save": "done"}] * len(ALL)
    assert "its block copy of vda was aborted after 2s" in trail(guestctl, COPIED)
    assert "its block commit of vda was aborted after 2s" in trail(guestctl, COMMITTED)
    assert "its backup was aborted after 2s" in trail(guestctl, BACKED_UP)
    guestctl.json("start")
    assert all(went_on(busy, name, before[name]) for name in ALL)
