"""Text for people: what a terminal or the journal shows of names and of others' words."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def printable(text: str) -> str:
    """The text without what a terminal would obey: a guest's name may hold anything.

    Controls, C1 among them, and what turns the direction of writing round are escaped.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def storable(text: str) -> str:
    """The text as the ledger takes it: bytes of a command line that are no UTF-8 are escaped."""
    return text.encode(errors="backslashreplace").decode()


def argument(name: str) -> str:
    """A guest's name as the last word of a command that is to be pasted into a shell."""
    return f"{'-- ' if name.startswith('-') else ''}{shlex.quote(name)}"


def names(guests: Sequence[str], most: int = 3) -> str:
    """A few of them, for one line of status."""
    shown = ", ".join(guests[:most])
    return f"{shown} and {len(guests) - most} more" if len(guests) > most else shown
