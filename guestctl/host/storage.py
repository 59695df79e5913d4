"""The host's files behind guests: stamps of disks, save images, room for saves."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ..model.guest import Disk, DiskKind, GuestFacts
from ..model.save import Found, Stamp
from . import tasks
from .qcow2 import data_file
from .save_image import fingerprint


class HostStorage:
    """The Storage of ports.py on this host's file systems.

    Each look is in a thread of its own: a file on a network that is gone blocks for good.  The
    next look at the same files waits for that one, so that a dead disk costs one thread.
    """

    def __init__(self) -> None:
        self._looks = tasks.OneAtATime()

    async def stamps(self, disks: Iterable[Disk]) -> dict[Disk, Stamp]:
        wanted = tuple(disks)
        return await self._looks.do(wanted, lambda: _stamps(wanted))

    async def image(self, guest: GuestFacts) -> Stamp | None:
        path = save_image(guest.id.uri, guest.name)
        if path is None:
            return None
        disk = Disk(DiskKind.FILE, str(path))
        return (await self.stamps([disk]))[disk]

    async def content(self, guest: GuestFacts) -> str:
        path = save_image(guest.id.uri, guest.name)
        if path is None:
            return ""
        return await self._looks.do(("content", path), lambda: _content(path))

    async def folder(self, guest: GuestFacts) -> Stamp | None:
        folder = save_folder(guest.id.uri)
        if folder is None:
            return None
        return await self._looks.do(("folder", folder), lambda: _folder_stamp(folder))

    async def present(self, names: Iterable[str]) -> frozenset[str]:
        wanted = tuple(names)
        return await self._looks.do(("present", wanted), lambda: _present(wanted))

    async def room(self, uri: str) -> int | None:
        folder = save_folder(uri)
        if folder is None:
            return None
        return await self._looks.do(("room", folder), lambda: free_bytes(folder))


def _present(names: Iterable[str]) -> frozenset[str]:
    return frozenset(filter(os.path.exists, names))


def _stamps(disks: Iterable[Disk]) -> dict[Disk, Stamp]:
    """Of the disks, and of files in which some of them have their data."""
    found = {disk: stamp(disk) for disk in disks}
    for disk, seen in tuple(found.items()):
        if seen.found is Found.PRESENT and (path := _data_file(disk)):
            data = Disk(DiskKind.FILE, path, disk.read_only)
            found.setdefault(data, stamp(data))
    return found


def _data_file(disk: Disk) -> str | None:
    try:
        return data_file(Path(disk.name))
    except (OSError, ValueError):
        return None


def stamp(disk: Disk) -> Stamp:
    """What stat(2) says of a disk, by whatever link it is named; never raises.

    Of a block device, which shows no changes, how large it is.
    """
    if disk.kind is DiskKind.OTHER or not disk.name:
        return Stamp(disk, Found.UNVERIFIABLE)
    try:
        seen = os.stat(disk.name)
    except (FileNotFoundError, NotADirectoryError):
        return Stamp(disk, Found.MISSING)
    except (OSError, ValueError):
        return Stamp(disk, Found.UNREADABLE)
    if stat.S_ISBLK(seen.st_mode):
        return Stamp(disk, Found.UNVERIFIABLE, size=_device_size(seen.st_rdev))
    if not stat.S_ISREG(seen.st_mode):
        return Stamp(disk, Found.UNVERIFIABLE)
    return Stamp(disk, Found.PRESENT, seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _device_size(device: int) -> int:
    """In bytes; 0 if unknown.  The kernel's word: opening a device can have effects, or hang."""
    place = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/size"
    try:
        return int(Path(place).read_text()) * 512  # whatever the device's own blocks are
    except (OSError, ValueError):
        return 0


def _content(path: Path) -> str:
    try:
        return fingerprint(path)
    except OSError:
        return ""


def _folder_stamp(folder: Path) -> Stamp:
    disk = Disk(DiskKind.FILE, str(folder))
    try:
        return Stamp(disk, Found.PRESENT, folder.stat().st_ino)
    except (FileNotFoundError, NotADirectoryError):
        return Stamp(disk, Found.MISSING)
    except OSError:
        return Stamp(disk, Found.UNREADABLE)


def save_folder(uri: str) -> Path | None:
    """Where libvirt's QEMU driver puts managed saves; None where that is not known."""
    if uri == "qemu:///system":
        return Path("/var/lib/libvirt/qemu/save")
    if uri == "qemu:///session":
        base = os.environ.get("XDG_CONFIG_HOME", "")
        config = Path(base) if base.startswith("/") else Path.home() / ".config"
        return config / "libvirt/qemu/save"
    return None


def save_image(uri: str, name: str) -> Path | None:
    """The file of a guest's managed save; None where that is not known."""
    folder = save_folder(uri)
    return folder / f"{name}.save" if folder else None


def free_bytes(folder: Path) -> int | None:
    """Bytes that may be written below a folder, which may not exist yet; None if unknown."""
    for place in (folder, *folder.parents):
        try:
            found = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        # What root may take is what libvirtd, which runs as root, can fill.
        blocks = found.f_bfree if os.geteuid() == 0 else found.f_bavail
        return blocks * found.f_frsize
    return None
