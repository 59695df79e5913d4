"""Writing a cpio archive (format newc), as the kernel unpacks it for its first root."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

TRAILER = "TRAILER!!!"
ALIGNMENT = 4


@dataclass(frozen=True)
class Entry:
    """One file, folder or link of the archive; `mode` holds its type as well."""

    mode: int
    data: bytes = b""


def file(data: bytes, permissions: int = 0o644) -> Entry:
    """A regular file."""
    return Entry(stat.S_IFREG | permissions, data)


def link(target: str) -> Entry:
    """A symbolic link."""
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def folder(permissions: int = 0o755) -> Entry:
    """A folder."""
    return Entry(stat.S_IFDIR | permissions)


def write(out: BinaryIO, entries: dict[str, Entry]) -> None:
    """Write the archive, folders that are missing included; the same input, the same bytes."""
    everything = {**_parents(entries), **entries}
    for number, name in enumerate(sorted(everything), start=1):
        out.write(_record(number, name, everything[name]))
    out.write(_record(0, TRAILER, Entry(0)))


def _parents(entries: dict[str, Entry]) -> dict[str, Entry]:
    parents = (parent for name in entries for parent in PurePosixPath(name).parents)
    return {str(parent): folder() for parent in parents if str(parent) != "."}


def _record(number: int, name: str, entry: Entry) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (
        *(number, entry.mode, 0, 0, 1, 0, len(entry.data)),
        *(0, 0, 0, 0, len(encoded), 0),
    )
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + encoded) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
