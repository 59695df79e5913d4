"""The configuration as values: what the rest of guestctl imports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .settings import Boot, General, Order, Shutdown, UserShutdown

#: Settings of [shutdown] by the names of their fields, by the name of the profile.
Profiles = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class GuestOverride:
    """A [[guest]] table: what differs for guests whose name or UUID matches.

    profiles: what differs further in a profile.
    """

    match: str
    values: Mapping[str, Any]
    profiles: Profiles = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """All settings; the defaults where nothing was configured.

    profiles: what [shutdown] is in each instead; decisions/profiles.py has them take effect.
    in_force: the one that has, which guests may have settings of their own for; empty for none.
    """

    general: General = field(default_factory=General)
    shutdown: Shutdown = field(default_factory=Shutdown)
    boot: Boot = field(default_factory=Boot)
    guests: tuple[GuestOverride, ...] = ()
    user_shutdown: UserShutdown = field(default_factory=UserShutdown)
    order: Order = field(default_factory=Order)
    profiles: Profiles = field(default_factory=dict)
    in_force: str = ""

    @property
    def sections(self) -> Mapping[str, object]:
        """The settings by section; "" is what stands outside any."""
        return {
            "": self.general,
            "shutdown": self.shutdown,
            "boot": self.boot,
            "user-shutdown": self.user_shutdown,
            "order": self.order,
        }
