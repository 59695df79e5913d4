"""What systemd and logind say, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SERVICE, GUARD, RIVAL = "guestctl.service", "guestctl-guard.service", "libvirt-guests.service"


@dataclass(frozen=True)
class Unit:
    """systemd's words: `active`, `failed` …; `enabled`, `disabled` …; "" where it has none."""

    active: str
    enabled: str

    @property
    def is_off(self) -> bool:
        """Whether the next boot does without it, because somebody said so."""
        return self.enabled in ("disabled", "masked", "masked-runtime")


@dataclass(frozen=True)
class HostWords:
    """delay: seconds that logind waits for inhibitors.  units: by name; empty without an answer."""

    delay: float | None = None
    units: Mapping[str, Unit] = field(default_factory=dict)

    def enabled(self, unit: str) -> str | None:
        """Whether a unit is for the next boot; None where nobody said."""
        return (self.units[unit].enabled or None) if unit in self.units else None

    def active(self, unit: str) -> str:
        """The state of a unit, or "unknown"."""
        return self.units[unit].active if unit in self.units else "unknown"


@dataclass(frozen=True)
class HostUnits:
    """words: what `status` shows as well."""

    words: HostWords
