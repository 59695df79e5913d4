"""libvirt's daemons, the bus, the clock and versions, for the doctor."""

from __future__ import annotations

from ..model.host_details import HostDetails
from .doctor_look import Look


def gather(_look: Look) -> HostDetails:
    """All of it."""
    return HostDetails()
