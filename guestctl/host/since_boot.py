"""Whether guestctl was on as the host booted, or was switched on later in that boot.

What happened to guests before it was switched on is not for it to put right.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from .libvirt import autostart
from .own_files import replace

_FILE = "since-boot.json"


def of_this_boot(folder: Path, uris: Iterable[str], *, booting: bool) -> frozenset[str]:
    """The connections of which guestctl has been in charge since the host booted.

    folder: of what belongs to this boot.  uris: those it is in charge of now.  booting: whether
    the host is not up yet; what is said then holds for this boot, whatever is restarted in it.
    """
    found = frozenset(autostart.claimed()) | _read(folder / _FILE)
    if not booting:
        return found
    found |= frozenset(uris)
    with contextlib.suppress(OSError):  # a service that is restarted late would not know it
        replace(folder / _FILE, json.dumps(sorted(found)), 0o644)
    return found


def _read(file: Path) -> frozenset[str]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_text())
        if isinstance(found, list):
            return frozenset(map(str, found))
    return frozenset()
