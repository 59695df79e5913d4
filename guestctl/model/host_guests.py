"""What only the doctor looks at of guests and their storage, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GuestsInFull:
    """All of it."""
