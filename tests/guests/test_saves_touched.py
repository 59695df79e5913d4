"""What others do to a guest's save image, and images of which libvirt itself knows nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Guestctl
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import save_folder
from .support import by_name, cleared, fresh, last_tick, listed, next_tick, trail, went_on

pytestmark = pytest.mark.guests

#: Saves that were touched; with the disk changed as well, or not.
EDITED, COPIED, RESTORED = "edited", "moved away and back", "copied back"
CHANGED = " over a changed disk"
TOUCHED = (EDITED, COPIED, RESTORED)
#: An older save is put back; one of another life; the file is removed.
OLDER, FOREIGN, LOST = "older", "foreign", "lost"
NAMES = (*TOUCHED, *(name + CHANGED for name in TOUCHED), OLDER, FOREIGN, LOST)


def image(daemon: SessionDaemon, name: str) -> Path:
    return save_folder(daemon) / f"{name}.save"


def disk(daemon: SessionDaemon, name: str) -> Path:
    return daemon.folder / "d" / f"{name.replace(' ', '-')}.raw"


def edit(daemon: SessionDaemon, name: str) -> None:
    """As `virsh managedsave-edit` does."""
    xml = daemon.virsh("managedsave-dumpxml", "--security-info", daemon.id_of(name))
    assert "<on_reboot>restart</on_reboot>" in xml
    path = daemon.folder / "log" / f"{name.replace(' ', '-')}.edited.xml"
    path.write_text(xml.replace("<on_reboot>restart</on_reboot>", "<on_reboot>destroy</on_reboot>"))
    path.chmod(0o644)
    before = image(daemon, name).stat().st_mtime_ns
    daemon.virsh("managedsave-define", daemon.id_of(name), str(path))
    assert image(daemon, name).stat().st_mtime_ns != before


def move(daemon: SessionDaemon, name: str) -> None:
    """Another inode, the same times."""
    path = image(daemon, name)
    daemon.run(["cp", "-p", str(path), f"{path}.aside"])
    Path(f"{path}.aside").rename(path)


def restore(daemon: SessionDaemon, name: str) -> None:
    """From a backup that keeps no times."""
    path = image(daemon, name)
    daemon.run(["cp", str(path), f"{path}.aside"])
    daemon.run(["cp", f"{path}.aside", str(path)])


TOUCH = {EDITED: edit, COPIED: move, RESTORED: restore}


class Story:
    """The guests, saved, their saves touched, and the start after that."""

    def __init__(self, daemon: SessionDaemon, guestctl: Guestctl) -> None:
        self.daemon, self.guestctl = daemon, guestctl
        self.keep_an_older_one()
        self.leave_a_foreign_one()
        guestctl.run("shutdown", "--preserve")
        self.ticks = {name: last_tick(daemon, name) for name in NAMES}
        for name, touch in TOUCH.items():
            touch(daemon, name)
            touch(daemon, name + CHANGED)
            daemon.run(["truncate", "-s", "8M", str(disk(daemon, name + CHANGED))])
        shutil.copyfile(self.aside(OLDER), image(daemon, OLDER))
        image(daemon, LOST).unlink()
        guestctl.run("start", status=1)
        self.ends = by_name(guestctl.json("history")[0])

    def aside(self, name: str) -> Path:
        return self.daemon.folder / "d" / f"{name}.kept"

    def keep_an_older_one(self) -> None:
        self.guestctl.run("shutdown", "--preserve", OLDER)
        shutil.copyfile(image(self.daemon, OLDER), self.aside(OLDER))
        self.guestctl.run("start", OLDER)

    def leave_a_foreign_one(self) -> None:
        """Saved while this guestctl knew nothing of it, used, and back since."""
        self.daemon.virsh("managedsave", self.daemon.id_of(FOREIGN))
        shutil.copyfile(image(self.daemon, FOREIGN), self.aside(FOREIGN))
        self.daemon.virsh("start", self.daemon.id_of(FOREIGN))

    def put_foreign_one_back(self) -> None:
        """Of its guest libvirt says that it has no save; the guest is off, and wanted on."""
        self.guestctl.run("start", FOREIGN)
        self.guestctl.run("shutdown", FOREIGN)
        self.daemon.run(["cp", str(self.aside(FOREIGN)), str(image(self.daemon, FOREIGN))])
        assert listed_by_libvirt(self.daemon, FOREIGN) == "no"


def listed_by_libvirt(daemon: SessionDaemon, name: str) -> str:
    lines = daemon.virsh("dominfo", daemon.id_of(name)).splitlines()
    return next(line.split()[-1] for line in lines if line.startswith("Managed save:"))


@pytest.fixture(scope="module")
def story(daemon: SessionDaemon) -> Iterator[Story]:
    with cleared(daemon):
        specs = [GuestSpec(name, disk=disk(daemon, name)) for name in NAMES]
        for name in NAMES:
            daemon.run(["truncate", "-s", "4M", str(disk(daemon, name))])
        daemon.start_all(specs)
        yield Story(daemon, fresh(daemon, "[boot]\nsync-time = false\n"))


def outcome(story: Story, name: str) -> tuple[str, str]:
    end: Any = story.ends[name]
    return end["outcome"], end["reason"]


@pytest.mark.parametrize("name", TOUCHED)
def test_a_touched_save_is_resumed_where_its_disk_is_as_it_was(story: Story, name: str) -> None:
    assert outcome(story, name) == ("resumed", "")
    assert went_on(story.daemon, name, story.ticks[name])
    assert not any("without a check" in said for said in trail(story.guestctl, name))


@pytest.mark.parametrize("name", TOUCHED)
def test_a_touched_save_whose_disk_changed_is_held(story: Story, name: str) -> None:
    end, reason = outcome(story, name + CHANGED)
    assert end == "held"
    assert f"{disk(story.daemon, name + CHANGED)} has changed (another size: 4MiB" in reason
    assert f"`guestctl start --discard-save '{name + CHANGED}'`" in reason
    assert story.daemon.state(name + CHANGED) == "shut off"


def test_an_older_save_that_was_put_back_is_held(story: Story) -> None:
    end, reason = outcome(story, OLDER)
    assert end == "held"
    assert "it was already resumed from this save" in reason


def test_a_save_whose_file_is_gone_is_held_until_a_person_has_it_booted(story: Story) -> None:
    end, reason = outcome(story, LOST)
    assert end == "held"
    assert "libvirt says that it has one, and there is no file" in reason
    story.guestctl.run("start", "--discard-save", LOST)
    assert next_tick(story.daemon, LOST).boot_id != story.ticks[LOST].boot_id
    assert listed(story.guestctl, LOST)["held"] is None


def test_a_save_of_which_libvirt_knows_nothing_is_held(story: Story) -> None:
    """libvirt says that there is none, and would resume from it."""
    story.put_foreign_one_back()
    story.guestctl.run("start", FOREIGN, status=1)
    row = listed(story.guestctl, FOREIGN)
    assert row["state"] == "shut off"
    assert "libvirt says that it has no save, and would resume it from one" in row["held"]
    before = last_tick(story.daemon, FOREIGN)
    story.guestctl.run("start", "--discard-save", FOREIGN)
    assert next_tick(story.daemon, FOREIGN).boot_id != before.boot_id
    assert not image(story.daemon, FOREIGN).exists()
