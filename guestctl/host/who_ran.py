"""Who ran as the host began to go down, kept for whoever comes after a service that was killed.

libvirt's own auto-shutdown pauses all guests at once by then: saved as they are, they would be
paused when they come back.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from ..model.guest import GuestId
from ..model.instant import Instant
from .locks import seconds_without_service
from .own_files import replace

_FILE = "ran.json"
#: Longer ago, somebody may have paused a guest since; a living service leaves a trace each minute.
JUST_NOW = 150.0


def keep(folder: Path, guests: Iterable[GuestId]) -> None:
    """From now on; not worth failing for."""
    with contextlib.suppress(OSError):
        replace(folder / _FILE, json.dumps(sorted(guests)))


def kept(folder: Path, now: Instant) -> frozenset[GuestId]:
    """What the service said last; nobody where that is too long ago, or cannot be read."""
    if seconds_without_service(folder, now) > JUST_NOW:
        return frozenset()
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = json.loads((folder / _FILE).read_text())
        return frozenset(GuestId(str(uri), str(uuid)) for uri, uuid in found)
    return frozenset()
