"""Facts of this host: its boot, and where guestctl keeps what."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

SYSTEM_STATE, SYSTEM_RUN = Path("/var/lib/guestctl"), Path("/run/guestctl")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The kernel's id of this boot; empty when it cannot be read."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


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
