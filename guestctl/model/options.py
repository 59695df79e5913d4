"""Words that settings and options of commands can have."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Method(StrEnum):
    """Ways to ask a guest to shut down."""

    AGENT = "agent"
    ACPI = "acpi"


class Scope(StrEnum):
    """Which guests a step is for."""

    ALL = "all"
    PERSISTENT = "persistent"
    TRANSIENT = "transient"
    NONE = "none"


class Unverifiable(StrEnum):
    """What to do with a save whose truth cannot be told."""

    RESUME = "resume"
    HOLD = "hold"


class UserAction(StrEnum):
    """What comes of a guest that its user shut down."""

    KEEP_DOWN = "keep-down"
    RESTART = "restart"
    IGNORE = "ignore"


class SaveDecision(StrEnum):
    """What a person decided about a save that guestctl would not resume by itself."""

    RESUME_ANYWAY = "resume-anyway"
    DISCARD_SAVE = "discard-save"


#: How a host goes down, in systemd's words, and the profile that is for it.
PROFILES_OF_STOPS: Mapping[str, str] = {
    "reboot": "reboot",
    "kexec": "reboot",
    "soft-reboot": "reboot",
    "poweroff": "poweroff",
    "halt": "poweroff",
}
#: Profiles that are in force by themselves; others where somebody names them.
PROFILES_OF_HOST = tuple(dict.fromkeys(PROFILES_OF_STOPS.values()))
