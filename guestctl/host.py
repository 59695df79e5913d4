"""Facts of this host: its boot, whether it is going down, where guestctl keeps its state."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SYSTEM_STATE = Path("/var/lib/guestctl")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SYSTEMCTL_LIMIT = 10.0


def boot_id() -> str:
    """The kernel's id of this boot; empty when it cannot be read."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def is_root() -> bool:
    """Whether this process may speak for the host."""
    return os.geteuid() == 0


def state_folder() -> Path:
    """Where the ledger is: the host's for root, else the user's (XDG base directories)."""
    if is_root():
        return SYSTEM_STATE
    base = os.environ.get("XDG_STATE_HOME", "")
    # The specification says to ignore relative paths.
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "guestctl"


def is_stopping() -> bool:
    """Whether systemd is taking the host down, as far as it can be told.

    systemctl asks systemd on its private socket when it runs as root, so this works without
    a bus, and starts no unit; it exits with 1 for any state but "running".
    Without an answer the host does not count as stopping: nothing is done to its guests.
    """
    try:
        answer = subprocess.run(
            ["systemctl", "is-system-running"],
            capture_output=True,
            text=True,
            timeout=_SYSTEMCTL_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() == "stopping"
