"""A control group for each host: what keeps hosts apart, and what ends one for certain."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .waiting import wait_until

MOUNTS = Path("/proc/self/mounts")
#: What libvirt's LXC driver needs; the unified hierarchy lacks it where one of the first version
#: has it.
FIRST_VERSION = {"devices", "memory"}


def hierarchy() -> Path | None:
    """Where the unified hierarchy is mounted, None if it is not."""
    for line in MOUNTS.read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(folder)
    return None


def first_version() -> dict[str, Path]:
    """Where hierarchies of the first version are mounted, by controller."""
    found: dict[str, Path] = {}
    for line in MOUNTS.read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup":
            found |= {name: Path(folder) for name in FIRST_VERSION & {*options.split(",")}}
    return found


def _own_groups() -> list[Path]:
    """The groups of the first version that this process is in."""
    found = []
    roots = first_version()
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in roots:
            found.append(roots[controllers] / path.lstrip("/"))
    return found


class Group:
    """A control group of the test bed's own; everything that a host starts is in it.

    It has a counterpart below our own group in each hierarchy of the first version, so that
    nothing that a host makes there outlives it either.
    """

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
        for group in _own_groups():
            (group / self.path.name).mkdir()

    def entering(self, argv: Sequence[str]) -> list[str]:
        """The command that enters it and becomes that command."""
        groups = [str(path) for path in (self.path, *self._counterparts())]
        enter = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
        return ["/bin/sh", "-ec", enter, "sh", *groups, "--", *argv]

    def _counterparts(self) -> list[Path]:
        """Wherever they are: they may have been made by somebody in another group."""
        roots = set(first_version().values())
        return [path for root in roots for path in root.glob(f"**/{self.path.name}")]

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
        for path in (self.path, *self._counterparts()):
            for folder, _, _ in os.walk(path, topdown=False):
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
