"""A network that hosts of the test bed share: a bridge of this machine, with nothing else on it."""

from __future__ import annotations

import atexit
from pathlib import Path
from types import TracebackType
from typing import Self

from . import commands
from .host import Host
from .leftovers import new_folder, remove_folder, sweep

#: Also of the bridge's own name, which is its folder's: the kernel takes 15 characters.
PREFIX = "gcb-"
INTERFACES = Path("/sys/class/net")
UNIT = """[Unit]
Description=The network that hosts of the test bed share
DefaultDependencies=no
After=systemd-remount-fs.service
Before=network-pre.target network.target shutdown.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'ip address add {address}/24 dev host0; ip link set host0 up'
"""


class Bridge:
    """The bridge; a context manager, which leaves neither it nor a file behind."""

    def __init__(self) -> None:
        """Prepare only; it comes with `with`."""
        self._folder: Path | None = None
        self._hosts = 0

    def __enter__(self) -> Self:
        """Make it."""
        sweep(PREFIX, dispose)
        atexit.register(self.close)
        self._folder = new_folder(PREFIX)
        try:
            commands.run(["ip", "link", "add", self.name, "type", "bridge"])
            commands.run(["ip", "link", "set", self.name, "up"])
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it; a host that is still on it has no network any more."""
        self.close()

    def close(self) -> None:
        """What leaving the context does; may be called again."""
        atexit.unregister(self.close)
        if self._folder:
            dispose(self._folder)
            self._folder = None

    @property
    def name(self) -> str:
        """What this machine calls it."""
        if self._folder is None:
            raise RuntimeError("there is no bridge: use it in a with statement")
        return self._folder.name

    def connect(self, host: Host) -> str:
        """Have a host that is off be on it from its next boot on; the host's address there."""
        self._hosts += 1
        address = f"10.99.0.{10 + self._hosts}"
        unit = host.root / "etc/systemd/system/testbed-network.service"
        unit.write_text(UNIT.format(address=address))
        wants = unit.parent / "sysinit.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / unit.name).symlink_to(f"../{unit.name}")
        host.network = f"--network-bridge={self.name}"
        return address


def dispose(folder: Path) -> None:
    """Remove the bridge whose folder this is, also one of a run that was killed."""
    if (INTERFACES / folder.name).exists():
        commands.run(["ip", "link", "delete", folder.name])
    remove_folder(folder)
