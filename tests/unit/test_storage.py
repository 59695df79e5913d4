"""Stamps of real files, and the room where saves go."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.decisions.staleness import Truth, compare
from guestctl.host.storage import HostStorage, save_folder, stamp
from guestctl.model.guest import Disk, DiskKind
from guestctl.model.save import Found
from tests.unit.makers import guest, guest_id
from tests.unit.running import run_async

SESSION = "qemu:///session"


def disk(path: Path | str) -> Disk:
    """A disk in a file."""
    return Disk(DiskKind.FILE, str(path))


@pytest.fixture
def saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the session's saves go; not made yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "libvirt/qemu/save"


def test_a_file_is_stamped(tmp_path: Path) -> None:
    path = tmp_path / "a.img"
    path.write_bytes(b"x" * 300)
    os.utime(path, ns=(1, 123_456_789))
    seen = stamp(disk(path))
    assert (seen.disk, seen.found) == (disk(path), Found.PRESENT)
    assert (seen.inode, seen.size, seen.modified) == (path.stat().st_ino, 300, 123_456_789)


def test_a_link_is_followed(tmp_path: Path) -> None:
    path, link = tmp_path / "a.img", tmp_path / "link"
    path.write_bytes(b"x")
    link.symlink_to(path)
    assert stamp(disk(link)).inode == path.stat().st_ino


def test_a_change_is_seen(tmp_path: Path) -> None:
    path, kept = tmp_path / "a.img", tmp_path / "kept.img"
    path.write_bytes(b"x")
    kept.write_bytes(b"x")
    before = [stamp(disk(path)), stamp(disk(kept))]
    path.write_bytes(b"xy")
    found = compare(before, run_async(HostStorage().stamps([disk(path), disk(kept)])))
    assert found.truth is Truth.CHANGED
    assert str(kept) not in found.reason


@pytest.mark.parametrize("name", ["absent", "absent/a.img", "file/a.img", "dangling"])
def test_what_is_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert stamp(disk(tmp_path / name)).found is Found.MISSING


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "g\udcff\0"])
def test_what_has_no_name_a_file_could_have(tmp_path: Path, name: str) -> None:
    assert stamp(disk(f"{tmp_path}/{name}")).found is Found.UNREADABLE


def test_a_loop_of_links_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert stamp(disk(tmp_path / "loop")).found is Found.UNREADABLE


def test_what_may_not_be_looked_at_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may look at everything: the refusal is made here."""

    def refuse(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", refuse)
    assert stamp(disk("/x")).found is Found.UNREADABLE


def test_what_is_no_regular_file_cannot_be_verified(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, Path("/dev/null")):
        assert stamp(disk(path)).found is Found.UNVERIFIABLE


def test_what_has_no_path_cannot_be_verified(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert stamp(Disk(DiskKind.OTHER, str(tmp_path / "a"))).found is Found.UNVERIFIABLE
    assert stamp(disk("")).found is Found.UNVERIFIABLE


def test_a_path_is_followed_whatever_kind_it_is_called(tmp_path: Path) -> None:
    """As those in /dev/disk/by-id are links; a block device may be named as a file."""
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "by-id").symlink_to("a")
    seen = stamp(Disk(DiskKind.BLOCK, str(tmp_path / "by-id")))
    assert (seen.found, seen.size) == (Found.PRESENT, 1)
    assert seen.inode == (tmp_path / "a").stat().st_ino


def test_of_a_block_device_its_size_is_seen() -> None:
    devices = [path for path in Path("/dev").iterdir() if path.is_block_device()]
    if not devices:
        pytest.skip("no block device here")
    seen = [stamp(Disk(kind, str(devices[0]))) for kind in (DiskKind.BLOCK, DiskKind.FILE)]
    assert all(one.found is Found.UNVERIFIABLE and not one.inode for one in seen)
    number = devices[0].stat().st_rdev
    size = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/size")
    assert seen[0].size == seen[1].size == int(size.read_text()) * 512


def test_a_block_device_that_is_not_there_is_missing(tmp_path: Path) -> None:
    assert stamp(Disk(DiskKind.BLOCK, str(tmp_path / "lv"))).found is Found.MISSING


@given(st.text() | st.binary().map(os.fsdecode), st.sampled_from(DiskKind))
def test_no_name_is_an_error(name: str, kind: DiskKind) -> None:
    assert stamp(Disk(kind, name)).disk.name == name


def test_every_disk_asked_for_is_stamped(tmp_path: Path) -> None:
    wanted = [disk(tmp_path / "absent"), Disk(DiskKind.BLOCK, "/dev/x"), disk(tmp_path)]
    assert list(run_async(HostStorage().stamps(iter(wanted)))) == wanted
    assert run_async(HostStorage().stamps([])) == {}


# Images and room


def test_the_image_of_a_save(saves: Path) -> None:
    saves.mkdir(parents=True)
    (saves / "web.save").write_bytes(b"image")
    facts = guest(id=guest_id(uri=SESSION))
    image = run_async(HostStorage().image(facts))
    assert image is not None
    assert (image.found, image.size) == (Found.PRESENT, 5)
    missing = run_async(HostStorage().image(guest("other", id=facts.id)))
    assert missing is not None
    assert missing.found is Found.MISSING


def test_the_folder_of_saves_is_told_by_its_inode(saves: Path) -> None:
    facts = guest(id=guest_id(uri=SESSION))
    absent = run_async(HostStorage().folder(facts))
    saves.mkdir(parents=True)
    there = run_async(HostStorage().folder(facts))
    assert absent is not None
    assert there is not None
    assert (absent.found, there.found) == (Found.MISSING, Found.PRESENT)
    assert there.inode == saves.stat().st_ino


@pytest.mark.parametrize("uri", ["test:///default", "qemu:///embed?root=/x", ""])
def test_where_saves_go_is_not_known_of_other_drivers(uri: str) -> None:
    assert save_folder(uri) is None
    assert run_async(HostStorage().image(guest(id=guest_id(uri=uri)))) is None
    assert run_async(HostStorage().folder(guest(id=guest_id(uri=uri)))) is None
    assert run_async(HostStorage().room(uri)) is None


def test_room_is_known_before_the_folder_is_made(saves: Path) -> None:
    room = run_async(HostStorage().room(SESSION))
    assert room is not None
    assert room > 0
    assert not saves.exists()


def test_room_that_cannot_be_told_is_not_known(
    saves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> os.statvfs_result:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(os, "statvfs", fail)
    assert run_async(HostStorage().room(SESSION)) is None


def test_a_relative_folder_of_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/x")
    assert save_folder(SESSION) == Path("/home/x/.config/libvirt/qemu/save")


def test_files_that_are_waited_for_on_a_dead_disk_cost_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A guest that waits is looked at for hours."""
    disk, began = threading.Event(), []

    def hangs(path: str) -> bool:
        began.append(path)
        return disk.wait(20)

    monkeypatch.setattr(os.path, "exists", hangs)

    async def work() -> None:
        looks = HostStorage()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(looks.present(["/mnt/dead"]), 0.02)
        assert began == ["/mnt/dead"]
        disk.set()

    run_async(work())
