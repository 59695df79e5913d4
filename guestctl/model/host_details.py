"""Of libvirt's daemons, the bus, the clock and versions, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostDetails:
    """All of it."""
