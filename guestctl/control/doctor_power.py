"""How a UPS is watched, for the doctor."""

from __future__ import annotations

from ..model.host_power import PowerSupply
from .doctor_look import Look


def gather(_look: Look) -> PowerSupply:
    """All of it."""
    return PowerSupply()
