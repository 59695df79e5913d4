"""The simulated host's files: guests' disks, and the file systems that hold their saves."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from guestctl.model.guest import Disk, DiskKind
from guestctl.model.save import Found, Stamp

#: What tells one content of a file from the next, and one file from another.
Content = tuple[int, int]


@dataclass
class _File:
    """A file or block device; content is counted up by each write, inode by each new file."""

    inode: int
    content: int = 1
    there: bool = True


@dataclass
class Files:
    """Every disk is there and quiet until something happens to it.

    room: bytes that a connection's saves may take in all; unknown where there is no entry.
    silent: whether no look at a file is ever answered, as with a network that is gone.
    saves_mounted: whether the folder of saves is the one with the saves.
    """

    room: dict[str, int] = field(default_factory=dict)
    silent: bool = False
    saves_mounted: bool = True
    _files: dict[str, _File] = field(default_factory=dict)
    _inodes: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def _file(self, name: str) -> _File:
        if name not in self._files:
            self._files[name] = _File(next(self._inodes))
        return self._files[name]

    def stamp(self, disk: Disk) -> Stamp:
        """What stat(2) says of it: nothing of use unless it is a file."""
        if disk.kind is not DiskKind.FILE:
            return Stamp(disk, Found.UNVERIFIABLE)
        file = self._file(disk.name)
        if not file.there:
            return Stamp(disk, Found.MISSING)
        return Stamp(disk, Found.PRESENT, file.inode, 2**30, file.content)

    def contents(self, disks: Iterable[Disk]) -> tuple[Content, ...]:
        """The truth about the disks, of whatever kind."""
        files = [self._file(disk.name) for disk in disks]
        return tuple((file.inode, file.content) for file in files)

    def write(self, name: str) -> None:
        """Something else is in it from now on."""
        self._file(name).content += 1

    def replace(self, name: str) -> None:
        """Another file takes its name, with the same times."""
        self._file(name).inode = next(self._inodes)

    def set_there(self, name: str, there: bool) -> None:
        """Its file system is mounted or not."""
        self._file(name).there = there

    def is_there(self, disks: Iterable[Disk]) -> bool:
        """Whether QEMU could open all of them."""
        return all(self._file(disk.name).there for disk in disks)
