"""Words that settings and options of commands can have."""

from __future__ import annotations

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
