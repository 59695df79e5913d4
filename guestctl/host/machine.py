"""Facts of this host: its boot and its clocks, and where guestctl keeps what."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
import time
import uuid
from functools import cache
from pathlib import Path

from ..model.instant import Instant

SYSTEM_STATE, SYSTEM_RUN = Path("/var/lib/guestctl"), Path("/run/guestctl")
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
    return Instant(time.time_ns(), boot_id(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def is_root() -> bool:
    """Whether this process may speak for the host."""
    return os.geteuid() == 0


def operator() -> str:
    """The name of the person behind this process, as far as that can be told."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def state_folder() -> Path:
    """Where the ledger is: the host's for root, else the user's (XDG base directories)."""
    if is_root():
        return SYSTEM_STATE
    base = os.environ.get("XDG_STATE_HOME", "")
    # The specification says to ignore relative paths.
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "guestctl"


def run_folder() -> Path:
    """Where what belongs to this boot is: the host's for root, else the user's."""
    if is_root():
        return SYSTEM_RUN
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "guestctl"
