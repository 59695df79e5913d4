"""What the service says of itself, in a file for `guestctl status`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from .locks import is_service_running
from .own_files import replace

_STATUS = "status.json"


def write(folder: Path, status: dict[str, Any]) -> None:
    """Replace what the service says of itself; not worth failing for."""
    with contextlib.suppress(OSError):
        replace(folder / _STATUS, json.dumps(status), 0o644)


def read(folder: Path) -> dict[str, Any] | None:
    """What the service says of itself; None while there is none."""
    running, said = is_service_running(folder), _said(folder)
    if running is None:  # for this user only what it says can tell
        running = _is_service(said.get("pid"))
    return said if running else None


def _said(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / _STATUS).read_text())
        if isinstance(found, dict):
            return found
    return {}


def _is_service(pid: object) -> bool:
    """Whether the process is there still; its number may be another's by now."""
    try:
        return b"guestctl" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
