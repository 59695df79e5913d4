"""What a host leaves on this machine: a folder, a mount, a control group; and their removal."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from . import commands
from .cgroups import MOUNTS, Group
from .commands import CommandError
from .host_image import host_image
from .leftovers import new_folder, remove_folder
from .tiny_guest import tiny_guest

PREFIX = "gch-"


class HostDisk:
    """A host's own layer above the image of its generation, and the group for its processes."""

    def __init__(self, suite: str) -> None:
        """Make the folder and mount the disk at `root`."""
        image = host_image(suite)
        self.folder = new_folder(PREFIX)
        # Not the folder's name: that may end with what no machine's name may end with.
        self.machine = f"{PREFIX}{uuid.uuid4().hex[:12]}"
        self.group = Group(self.folder.name)
        self.root = self.folder / "root"
        self.log = self.folder / "container.log"
        self.testbed = self.root / "var/lib/testbed"
        try:
            self._mount(image)
            self._personalise()
        except BaseException:
            self.close()
            raise

    def _mount(self, image: Path) -> None:
        for name in ("root", "upper", "work"):
            (self.folder / name).mkdir(mode=0o755)
        layers = f"lowerdir={image},upperdir={self.folder}/upper,workdir={self.folder}/work"
        try:
            commands.run(["mount", "-t", "overlay", "-o", layers, "overlay", self.root])
        except CommandError:
            # Where layers cannot be stacked (this machine's own disk is such a stack): a copy.
            commands.run(["cp", "-a", f"{image}/.", self.root], timeout=300)

    def _personalise(self) -> None:
        # Without an id it would be a first boot, which enables all that Debian enables.
        (self.root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (self.testbed / "log").mkdir(parents=True)
        image = tiny_guest()
        for path in (image.kernel, image.initrd, image.virtio_initrd):
            shutil.copy(path, self.testbed)

    def close(self) -> None:
        """End the host's processes and remove everything; may be called again."""
        dispose(self.folder)


def dispose(folder: Path) -> None:
    """End and remove the host whose folder this is, also one of a run that was killed."""
    Group(folder.name).remove()
    for mount in reversed(_mounts_below(folder)):
        commands.run(["umount", mount])
    remove_folder(folder)


def _mounts_below(folder: Path) -> list[str]:
    points = (line.split()[1] for line in MOUNTS.read_text().splitlines())
    return [point for point in points if Path(point).is_relative_to(folder)]
