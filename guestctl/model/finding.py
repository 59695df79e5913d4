"""Something that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass

from .guest import GuestId


@dataclass(frozen=True)
class Finding:
    """What is wrong and why, and the command to type; "" where there is none.

    name, guest: whom it is about; of the host as a whole they are "" and None.  A guest of a
    past run is known by its name alone.
    """

    text: str
    command: str = ""
    name: str = ""
    guest: GuestId | None = None
