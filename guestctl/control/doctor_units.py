"""What systemd, logind and the service say, for the doctor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.host_state import NotKnown, NotSeen
from ..model.host_units import HostUnits
from .doctor_look import Look
from .host_units import ask
from .service_said import said_by_service


def units(_look: Look) -> HostUnits:
    """Raises NotSeen where systemd does not answer."""
    words = ask()
    if not words.units:
        raise NotSeen(NotKnown("systemd's units", "systemd does not answer on the bus"))
    return HostUnits(words)


def service(look: Look) -> Mapping[str, Any]:
    """What the service says of itself."""
    return said_by_service(look.local, ask(), look.hosts_files)
