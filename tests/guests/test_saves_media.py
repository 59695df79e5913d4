"""Ways to name storage, and media that a guest only reads: which of them make a save stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Guestctl
from tests.testbed.console import Tick, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import redefined
from .support import by_name, cleared, fresh, last_tick, went_on

pytestmark = pytest.mark.guests

#: What is resized while the guests are saved: a volume of a pool, a file by its link.
VOLUME, LINK, QUIET = "volume", "link", "quiet volume"
#: Media that were replaced, or are gone: before the save, after it, and with startupPolicy.
REPLACED, OPTIONAL, GONE, LOST = "replaced cd", "optional cd", "cd gone after", "cd gone before"
#: Its QEMU was removed from the host since.
UPGRADED = "upgraded host"
NAMES = (VOLUME, LINK, QUIET, REPLACED, OPTIONAL, GONE, LOST, UPGRADED)
EMULATOR = "/usr/bin/qemu-system-x86_64"
POOL = "saves-media"


def path(daemon: SessionDaemon, name: str) -> Path:
    return daemon.folder / "d" / f"{name.replace(' ', '-')}.img"


def device(daemon: SessionDaemon, name: str) -> str:
    """The XML of the guest's disk."""
    file = path(daemon, name)
    if name in (VOLUME, QUIET):
        source = f"<source pool='{POOL}' volume='{file.name}'/>"
        return f"<disk type='volume' device='disk'>{source}<target dev='vda' bus='virtio'/></disk>"
    if name == LINK:
        source = f"<source file='{file}.link'/>"
        return f"<disk type='file' device='disk'>{source}<target dev='vda' bus='virtio'/></disk>"
    policy = " startupPolicy='optional'" if name == OPTIONAL else ""
    source = f"<source file='{file}'{policy}/>"
    return f"<disk type='file' device='cdrom'>{source}<target dev='hdc' bus='ide'/></disk>"


class Story:
    """The guests saved, their storage changed, and the start after that."""

    def __init__(self, daemon: SessionDaemon, guestctl: Guestctl) -> None:
        self.daemon, self.guestctl = daemon, guestctl
        self.make_guests()
        path(daemon, LOST).unlink()
        self.planned = by_name(guestctl.json("plan"))
        self.down = by_name(guestctl.json("shutdown", "--preserve"))
        self.ticks = {name: last_tick(daemon, name) for name in NAMES}
        for name in (VOLUME, LINK):
            daemon.run(["truncate", "-s", "8M", str(path(daemon, name))])
        path(daemon, REPLACED).unlink()
        daemon.run(["truncate", "-s", "8M", str(path(daemon, REPLACED))])
        for name in (OPTIONAL, GONE):
            path(daemon, name).unlink()
        daemon.run(["truncate", "-s", "4M", str(path(daemon, LOST))])
        self.emulator.unlink()
        guestctl.run("start", status=1)
        self.up: dict[str, Any] = by_name(guestctl.json("history")[0])

    @property
    def emulator(self) -> Path:
        return self.daemon.folder / "d" / "qemu"

    def make_guests(self) -> None:
        self.daemon.run(["ln", "-s", EMULATOR, str(self.emulator)])
        for name in NAMES:
            self.daemon.run(["truncate", "-s", "4M", str(path(self.daemon, name))])
        link = f"{path(self.daemon, LINK)}.link"
        self.daemon.run(["ln", "-s", str(path(self.daemon, LINK)), link])
        self.daemon.virsh("pool-refresh", POOL)
        for name in NAMES:
            old, new = "</devices>", f"{device(self.daemon, name)}</devices>"
            if name == UPGRADED:
                old, new = f"{EMULATOR}</emulator>", f"{self.emulator}</emulator>"
            redefined(self.daemon, GuestSpec(name), old, new)
            self.daemon.start_again(name, wait=False)
        for name in NAMES:
            wait_for_tick(self.daemon.console(name))


@pytest.fixture(scope="module")
def story(daemon: SessionDaemon) -> Iterator[Story]:
    folder = str(daemon.folder / "d")
    with cleared(daemon):
        daemon.virsh("pool-create-as", POOL, "dir", "--target", folder)
        try:
            config = '[boot]\nsync-time = false\nstorage-timeout = "3s"\nretries = 0\n'
            yield Story(daemon, fresh(daemon, config))
        finally:
            daemon.virsh("pool-destroy", POOL)


@pytest.mark.parametrize("name", [VOLUME, LINK])
def test_storage_that_changed_holds_the_guest_however_it_is_named(story: Story, name: str) -> None:
    assert story.up[name]["outcome"] == "held"
    said = "has changed (another size: 4MiB when it was saved, 8MiB now"
    assert said in story.up[name]["reason"]


@pytest.mark.parametrize("name", [QUIET, REPLACED, OPTIONAL])
def test_others_are_resumed_and_nothing_is_said(story: Story, name: str) -> None:
    assert (story.up[name]["outcome"], story.up[name]["reason"]) == ("resumed", "")
    before: Tick = story.ticks[name]
    assert went_on(story.daemon, name, before)


def test_a_medium_that_libvirt_insists_on_is_waited_for(story: Story) -> None:
    assert story.up[GONE]["outcome"] == "failed"
    assert f"{path(story.daemon, GONE)}, which it only reads, is not" in story.up[GONE]["reason"]


def test_a_guest_whose_medium_was_deleted_is_not_saved_but_shut_down(story: Story) -> None:
    """Its save could not be resumed from; the plan says so beforehand."""
    reason = "it could not be resumed without"
    assert reason in str(story.planned[LOST])
    assert story.down[LOST]["outcome"] == "shut-down"
    assert story.up[LOST]["outcome"] == "started"


def test_a_save_that_this_host_cannot_resume_any_more_is_held(story: Story) -> None:
    """It is not tried again and again; the way out is named."""
    assert story.up[UPGRADED]["outcome"] == "held"
    reason = story.up[UPGRADED]["reason"]
    assert reason.startswith("this host cannot resume its save any more: Cannot check QEMU binary")
    assert "--resume-anyway 'upgraded host'" in reason
