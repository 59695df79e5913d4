"""Whether this machine can run the test bed, and if not, why."""

from __future__ import annotations

import os
import platform
import pwd
import shutil
from collections.abc import Callable

from .cgroups import hierarchy
from .session import PATH, USER

GUEST_PROGRAMS = ("virsh", "libvirtd", "qemu-system-x86_64", "apt-get", "dpkg", "ldd")
HOST_PROGRAMS = (
    *("systemd-nspawn", "nsenter", "unshare", "mmdebstrap", "mount", "umount", "chroot", "tar"),
    *("systemctl", "apt-get", "dpkg", "ldd", "ip"),
)


def missing(group: str) -> str | None:
    """Why tests of that group ("guests", "hosts") cannot run here; None if they can."""
    return {"guests": _missing_for_guests, "hosts": _missing_for_hosts}[group]()


def _first(*checks: Callable[[], str | None]) -> str | None:
    return next((reason for check in checks if (reason := check())), None)


def _missing_for_guests() -> str | None:
    return _first(_wrong_machine, lambda: _absent(GUEST_PROGRAMS), _no_user)


def _missing_for_hosts() -> str | None:
    return _first(_not_root, _wrong_machine, lambda: _absent(HOST_PROGRAMS), _no_groups)


def _wrong_machine() -> str | None:
    if platform.machine() == "x86_64":
        return None
    return f"the tiny guest is for x86_64, this machine is {platform.machine()}"


def _absent(programs: tuple[str, ...]) -> str | None:
    absent = [name for name in programs if not shutil.which(name, path=PATH)]
    return f"not installed: {', '.join(absent)} (see packages.txt)" if absent else None


def _no_user() -> str | None:
    """A session daemon is never root's."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return f"no user {USER}, whom root needs for a session daemon"
    return None


def _not_root() -> str | None:
    return None if os.geteuid() == 0 else "hosts in containers need root"


def _no_groups() -> str | None:
    root = hierarchy()
    if root is None:
        return "no unified control group hierarchy is mounted"
    if not (root / "cgroup.controllers").read_text().strip():
        return "the unified control group hierarchy has no controller"
    return None if os.access(root, os.W_OK) else "control groups cannot be made here"
