"""Something that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .guest import GuestId


class Severity(StrEnum):
    """How bad it is.

    error: guests would be lost, or not come back.  warning: something does not go as configured.
    note: worth knowing, and nothing is wrong.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """What is wrong and why, and the command to type; "" where there is none.

    name, guest: whom it is about; of the host as a whole they are "" and None.  A guest of a
    past run is known by its name alone.
    check: of the doctor's that found it, "" for others.  evidence: what was read, and where.
    remedy: what to do, in words, where more is to be said than the command.
    """

    text: str
    command: str = ""
    name: str = ""
    guest: GuestId | None = None
    check: str = ""
    severity: Severity = Severity.WARNING
    evidence: tuple[str, ...] = ()
    remedy: str = ""
