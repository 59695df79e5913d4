"""On which file system a folder is, as the kernel tells it (proc(5), mountinfo)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..model.host_folders import FileSystem, Folder
from .mounts import MOUNTINFO, mount_point, unescaped
from .storage import free_bytes


class _Mount(NamedTuple):
    """upper: of an overlay, the folder that takes what is written."""

    point: str
    kind: str
    source: str
    upper: str


def look(folder: Path, mountinfo: Path = MOUNTINFO) -> Folder:
    """What there is to see of a folder, which may not exist yet.  Raises OSError.

    Blocks for as long as a file system on the way to it does.
    """
    free, real = free_bytes(folder), os.path.realpath(folder)  # first: it mounts an automount
    return Folder(str(folder), real, file_system(real, mountinfo), free)


def file_system(real: str, mountinfo: Path = MOUNTINFO) -> FileSystem | None:
    """That of a path without links; None where the kernel names none.  Raises OSError."""
    mounts = list(_mounts(mountinfo))
    found = _above(mounts, real)
    if found is None:
        return None
    layer = _above(mounts, found.upper) if found.upper else None
    # Its own root, where the layer below is not to be seen from here.
    kind = layer.kind if layer and layer.point != found.point else ""
    return FileSystem(found.point, found.kind, found.source, kind)


def _above(mounts: list[_Mount], real: str) -> _Mount | None:
    """The one that a path is on: the deepest, and of those the last, which hides the others."""
    folders = {real, *map(str, Path(real).parents)}
    above = [mount for mount in mounts if mount.point in folders]
    return max(reversed(above), key=lambda mount: len(mount.point), default=None)


def _mounts(mountinfo: Path) -> Iterator[_Mount]:
    for line in mountinfo.read_text(errors="replace").splitlines():
        _, separator, rest = line.partition(" - ")
        fields = rest.split()
        if separator and len(fields) >= 2:
            options = dict(option.partition("=")[::2] for option in fields[-1].split(","))
            upper = unescaped(options.get("upperdir", ""))
            yield _Mount(mount_point(line), fields[0], fields[1], upper)
