"""libvirt's own containers (its LXC driver) on a host of the test bed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .host import Host
from .waiting import wait_until

URI = "lxc:///system"
ROOTS = Path("/var/lib/containers")
#: A container's own: obeys SIGTERM, does what it finds in /leave, and counts its lives.
INIT = """#!/bin/sh
trap 'exit 0' TERM
echo up >>/lives
until [ -e /leave ]; do sleep 0.05; done
. /leave
"""
#: libvirt's driver makes files such as a container's /proc/meminfo by FUSE, and wants to find
#: these controllers, which the kernel has in one version only.
PREPARE = """
[ -e /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229
for name in devices memory; do
    grep -q ":$name:" /proc/self/cgroup || continue
    mkdir -p "/run/cgroup1/$name"
    mount -t cgroup -o "$name" cgroup "/run/cgroup1/$name"
done
"""
UNIT = """[Unit]
Description=What containers need on this host
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -e /etc/testbed-containers
"""
XML = """<domain type="lxc">
<name>{name}</name>
<memory unit="MiB">{memory}</memory>
<os><type>exe</type><init>{init}</init></os>
<features><privnet/></features>
<devices>
<filesystem type="mount"><source dir="{root}"/><target dir="/"/></filesystem>
{more}
<console type="pty"/>
</devices>
</domain>
"""
USR = '<filesystem type="mount"><source dir="/usr"/><target dir="/usr"/><readonly/></filesystem>'
#: The host's own disk again, with a layer above it that is gone when the host goes down.
SYSTEM = """
mkdir -p "$1" /run/system/upper /run/system/work
layers=lowerdir=/,upperdir=/run/system/upper,workdir=/run/system/work
mount -t overlay overlay -o "$layers" "$1"
rm -f "$1"/etc/systemd/system/*.wants/{testbed,libvirt,virt,guestctl}*
cat >"$1/etc/systemd/system/lives.service" <<UNIT
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo up >>/lives'
UNIT
mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
ln -s ../lives.service "$1/etc/systemd/system/multi-user.target.wants"
"""


def allow(host: Host) -> None:
    """Have a host that is off be able to run containers from its next boot on."""
    (host.root / "etc/testbed-containers").write_text(PREPARE)
    units = host.root / "etc/systemd/system"
    (units / "testbed-containers.service").write_text(UNIT)
    wanted = units / "sysinit.target.wants/testbed-containers.service"
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to("../testbed-containers.service")


def virsh(host: Host, *args: str) -> str:
    """What virsh prints for the LXC driver."""
    return host.virsh("-c", URI, *args)


def start_all(host: Host, names: Iterable[str]) -> None:
    """Define and start containers, and wait until each listens."""
    for name in names:
        _make_root(host, name)
        _start(host, name, init="/start", more=USR, memory=32)
    for name in names:
        wait_for_life(host, name, 1)


def start_system(host: Host, name: str) -> None:
    """Have one whose init is systemd; its disk is gone at the host's next boot."""
    host.run(["/bin/bash", "-ec", SYSTEM, "bash", str(ROOTS / name)])
    _start(host, name, init="/sbin/init", more="", memory=256)
    lives = host.path(ROOTS / name / "lives")
    wait_until(lives.exists, 30, f"system in {name}")


def _start(host: Host, name: str, **how: object) -> None:
    xml = host.root / "etc" / f"{name}.xml"
    xml.write_text(XML.format(name=name, root=ROOTS / name, **how))
    virsh(host, "define", f"/etc/{xml.name}")
    virsh(host, "start", name)


def root_of(host: Host, name: str) -> Path:
    """The container's disk, as it is called on this machine."""
    return host.root / ROOTS.relative_to("/") / name


def lives(host: Host, name: str) -> int:
    """How often the container has got to where it listens."""
    file = root_of(host, name) / "lives"
    return len(file.read_text().split()) if file.exists() else 0


def wait_for_life(host: Host, name: str, number: int) -> None:
    """Wait until it has got there so often."""
    wait_until(lambda: lives(host, name) >= number, 20, f"life {number} of {name}")


def _make_root(host: Host, name: str) -> None:
    """With the host's programs, but nothing else of it."""
    root = root_of(host, name)
    (root / "usr").mkdir(parents=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    (root / "start").write_text(INIT)
    (root / "start").chmod(0o755)


def leave(host: Host, name: str, command: str) -> None:
    """Have the container's init do that."""
    root = root_of(host, name)
    (root / "leave.new").write_text(f"rm /leave; {command}\n")
    os.rename(root / "leave.new", root / "leave")


def running(host: Host) -> set[str]:
    """Names of the containers that run."""
    return set(virsh(host, "list", "--name").split("\n")) - {""}
