"""What only the doctor looks at of guests and their storage, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .guest import GuestId


@dataclass(frozen=True)
class GuestsInFull:
    """missing: disks, media and firmware that are not there, by their paths."""

    missing: Mapping[GuestId, tuple[str, ...]] = field(default_factory=dict)
