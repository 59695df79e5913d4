"""Facts of this host: its boot and its clocks, and where guestctl keeps what."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import tempfile
import time
import uuid
from functools import cache
from pathlib import Path

from ..model.history import Actor
from ..model.instant import Instant

SYSTEM_STATE, SYSTEM_RUN = Path("/var/lib/guestctl"), Path("/run/guestctl")
SYSTEM_COPY = Path("/var/cache/guestctl")
_BOOT_ID, _OWN_BOOT_ID = Path("/proc/sys/kernel/random/boot_id"), "boot-id"
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@cache
def boot_id() -> str:
    """The id of this boot: the kernel's, else one of the run folder, made once in each boot.

    Empty where neither can be had: what was up before a power cut is not known then.
    """
    return _read_id(_BOOT_ID) or _own_boot_id(run_folder() / _OWN_BOOT_ID)


def _read_id(path: Path) -> str:
    """Empty for anything else: a container may have whatever it likes in its /proc."""
    try:
        found = path.read_text().strip()
    except (OSError, ValueError):
        return ""
    return found if _UUID.fullmatch(found) else ""


def _own_boot_id(path: Path) -> str:
    """The run folder lives as long as the kernel's id: a soft-reboot keeps both."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as new:
            new.write(str(uuid.uuid4()))
            new.flush()
            os.fchmod(new.fileno(), 0o644)
            os.link(new.name, path)  # whole, and by one process alone
    except OSError:
        pass  # it is there already, or cannot be made
    return _read_id(path)


def now() -> Instant:
    """This moment."""
    up = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Instant(time.time_ns(), boot_id(), up, time.monotonic_ns())


def is_root() -> bool:
    """Whether this process may speak for the host."""
    return os.geteuid() == 0


def actor(command: str) -> Actor:
    """Who is behind this process, as far as that can be told; command: what was typed."""
    # The kernel's word for whose login it is goes before sudo's, and that before who it acts as.
    user = _login(_SELF) or os.environ.get("SUDO_USER") or _name_of(os.getuid())
    return Actor(user, _own_terminal() or _unit(_SELF), command)


def actor_of(pid: int | None, uid: int, command: str) -> Actor:
    """Who is behind another process, which acts as this user.

    The number may be another's by now: what the kernel says of a process of another user counts
    for nothing.  pid: None where it is not known.
    """
    process = _PROC / str(pid)
    if pid is None or _user_of(process) != uid:
        return Actor(_name_of(uid), None, command)
    return Actor(_login(process) or _name_of(uid), _terminal(process) or _unit(process), command)


#: Of a process that no login is behind (proc(5)).
_NO_LOGIN = 2**32 - 1
_PROC, _SELF = Path("/proc"), Path("/proc/self")


def _user_of(process: Path) -> int | None:
    """As whom it acts; whose its folder is says root of a program that changed its user."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (process / "status").read_text().splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[2])
    return None


def _login(process: Path) -> str:
    """Whose login it is, which nobody can change but root; empty where it is nobody's."""
    with contextlib.suppress(OSError, ValueError):
        if (uid := int((process / "loginuid").read_text())) != _NO_LOGIN:
            return _name_of(uid)
    return ""


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _own_terminal() -> str | None:
    """As who(1) has it: "pts/0"."""
    for stream in range(3):
        with contextlib.suppress(OSError):
            return os.ttyname(stream).removeprefix("/dev/")
    return None


#: Majors of pseudo-terminals, each with 256 of them (Documentation/admin-guide/devices.txt).
_PTS = range(136, 144)
_DEVICES = Path("/sys/dev/char")


def _terminal(process: Path) -> str | None:
    """The same of another process, by its controlling terminal: what it has open only who may trace
    it can see, which the service may not."""
    try:
        number = int((process / "stat").read_text().rpartition(")")[2].split()[4])
    except (OSError, ValueError, IndexError):
        return None
    major, minor = os.major(number), os.minor(number)
    if major in _PTS:
        return f"pts/{(major - _PTS.start) * 256 + minor}"
    return _device(major, minor) if number else None


def _device(major: int, minor: int) -> str | None:
    """Its name in /dev."""
    with contextlib.suppress(OSError):
        for line in (_DEVICES / f"{major}:{minor}" / "uevent").read_text().splitlines():
            if line.startswith("DEVNAME="):
                return line.removeprefix("DEVNAME=")
    return None


def _unit(process: Path) -> str | None:
    """The unit of systemd that this is part of: an UPS daemon's, cron's."""
    try:
        groups = (process / "cgroup").read_text().split("/")
    except OSError:
        return None
    units = [part.strip() for part in groups if part.strip().endswith(".service")]
    return units[-1] if units else None


def state_folder() -> Path:
    """Where the ledger is: the host's for root, else the user's (XDG base directories)."""
    if is_root():
        return SYSTEM_STATE
    base = os.environ.get("XDG_STATE_HOME", "")
    # The specification says to ignore relative paths.
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "guestctl"


def copy_folder() -> Path:
    """Where the ledger's second copy is: not where the ledger is."""
    if is_root():
        return SYSTEM_COPY
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "guestctl"


def run_folder() -> Path:
    """Where what belongs to this boot is: the host's for root, else the user's."""
    if is_root():
        return SYSTEM_RUN
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "guestctl"
