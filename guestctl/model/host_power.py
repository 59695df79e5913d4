"""How a UPS is watched, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PowerSupply:
    """All of it."""
