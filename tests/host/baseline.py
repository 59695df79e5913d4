"""How a shared host was configured, and is again for whoever comes next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.host.taking_over import RECORD
from tests.testbed.host import Host

#: Guests, networks and the like, as libvirt keeps them; its settings lie beside these folders.
OF_LIBVIRT = tuple(f"etc/libvirt/{kind}/" for kind in ("qemu", "lxc", "nwfilter", "storage"))


@dataclass(frozen=True)
class File:
    """What a file, or a link, is."""

    mode: int
    owner: tuple[int, int]
    content: bytes | Path


class Baseline:
    """The files of /etc as they are on a host now."""

    def __init__(self, host: Host) -> None:
        """Read them."""
        self._host = host
        self._files = dict(files(host.root))

    def put_back(self) -> list[str]:
        """Undo what was changed since; what that was."""
        now = dict(files(self._host.root))
        others = sorted(
            path for path in {*now, *self._files} if now.get(path) != self._files.get(path)
        )
        for path in others:
            (self._host.root / path).unlink(missing_ok=True)
            if path in self._files:
                write(self._host.root / path, self._files[path])
        return others


def files(root: Path) -> Iterator[tuple[str, File]]:
    """Those below /etc, and the record of a takeover, by their paths."""
    found = [root / RECORD, *(root / "etc").rglob("*")]
    for file in found:
        path = str(file.relative_to(root))
        if not path.startswith(OF_LIBVIRT) and (file.is_symlink() or file.is_file()):
            yield path, read(file)


def read(file: Path) -> File:
    """As it is."""
    status = file.lstat()
    content = file.readlink() if file.is_symlink() else file.read_bytes()
    return File(status.st_mode, (status.st_uid, status.st_gid), content)


def write(path: Path, file: File) -> None:
    """As it was; where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, Path):
        path.symlink_to(file.content)
        return
    path.write_bytes(file.content)
    path.chmod(file.mode & 0o7777)
    os.chown(path, *file.owner)
