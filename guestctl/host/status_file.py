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
    if not is_service_running(folder):
        return None
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / _STATUS).read_text())
        if isinstance(found, dict):
            return found
    return {}
