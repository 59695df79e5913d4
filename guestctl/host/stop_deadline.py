"""By when a person wants the host's stop to be through: kept for this boot, for service and guard.

`guestctl shutdown --preserve --within 3min` is followed by the host's poweroff, whose run would
begin with a deadline of its own.  The folder is of this boot, and so is the monotonic clock.
"""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

from .own_files import replace

_FILE = "stop-by.json"


def say(folder: Path, ends: float | None) -> None:
    """Until when, or that this holds no longer where None.  OSError where it cannot be written."""
    if ends is None:
        forget(folder)
    else:
        keep(folder, ends)


def keep(folder: Path, ends: float) -> None:
    """Until when, in seconds on the monotonic clock.  OSError where it cannot be written."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    replace(folder / _FILE, json.dumps(ends))


def kept(folder: Path) -> float | None:
    """What was said last; None where nobody said anything that can be read."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / _FILE).read_text())
        if isinstance(found, int | float) and math.isfinite(found):
            return float(found)
    return None


def forget(folder: Path) -> None:
    """It holds no longer.  OSError where that cannot be written."""
    (folder / _FILE).unlink(missing_ok=True)
