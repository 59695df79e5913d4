"""A control group for each host: what keeps hosts apart, and what ends one for certain."""

from __future__ import annotations

import os
from pathlib import Path

from .waiting import wait_until

MOUNTS = Path("/proc/self/mounts")


def hierarchy() -> Path | None:
    """Where the unified hierarchy is mounted, None if it is not."""
    for line in MOUNTS.read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(folder)
    return None


class Group:
    """A control group of the test bed's own; everything that a host starts is in it."""

    def __init__(self, name: str) -> None:
        """Name it only; `create` makes it."""
        root = hierarchy()
        if root is None:
            raise RuntimeError("no unified control group hierarchy is mounted")
        self._root = root
        self.path = root / name

    def create(self) -> None:
        """Make it, empty."""
        self.remove()
        _share_controllers(self._root)
        self.path.mkdir()

    def share_controllers(self, timeout: float = 10) -> None:
        """Hand controllers on to the groups below, as soon as no process is in this one itself.

        libvirt takes control groups for absent, and makes no machine scopes, where the list of
        controllers at the top of its host is empty.  The kernel refuses while there are processes.
        """
        wait_until(lambda: _share_controllers(self.path), timeout, f"controllers in {self.path}")

    def kill(self, timeout: float = 20) -> None:
        """End every process in it, at once and without a look at process ids."""
        if self.path.is_dir():
            (self.path / "cgroup.kill").write_text("1")
            wait_until(self.is_empty, timeout, f"end of the processes in {self.path}")

    def is_empty(self) -> bool:
        """Whether no process is in it or below."""
        events = self.path / "cgroup.events"
        return not events.exists() or "populated 0" in events.read_text()

    def remove(self) -> None:
        """End what is in it and remove it with the groups below."""
        self.kill()
        for folder, _, _ in os.walk(self.path, topdown=False):
            Path(folder).rmdir()


def _share_controllers(group: Path) -> bool:
    """Let the groups below have this one's controllers; False where the kernel refuses (yet)."""
    control = group / "cgroup.subtree_control"
    if not control.read_text().strip():
        names = (group / "cgroup.controllers").read_text().split()
        for name in names:
            try:
                control.write_text(f"+{name}")
            except OSError:
                continue
    return bool(control.read_text().strip())
