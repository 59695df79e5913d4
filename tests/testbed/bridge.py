"""A network that hosts of the test bed share: a bridge of this machine, with nothing else on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """The bridge.  name: what this machine calls it."""

    def __init__(self, name: str) -> None:
        """It is there already."""
        self.name = name
        self._hosts = 0

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


@contextmanager
def bridge() -> Iterator[Bridge]:
    """A bridge, and nothing of it left afterwards; hosts still on it have no network any more."""
    sweep(PREFIX, dispose)
    folder = new_folder(PREFIX)
    try:
        commands.run(["ip", "link", "add", folder.name, "type", "bridge"])
        commands.run(["ip", "link", "set", folder.name, "up"])
        yield Bridge(folder.name)
    finally:
        dispose(folder)


def dispose(folder: Path) -> None:
    """Remove the bridge whose folder this is, also one of a run that was killed."""
    if (INTERFACES / folder.name).exists():
        commands.run(["ip", "link", "delete", folder.name])
    remove_folder(folder)
