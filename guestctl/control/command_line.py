"""What was typed, for the ledger and for trails."""

from __future__ import annotations

import shlex
import sys

from ..model.text import storable

#: What is kept of a command line: the ledger keeps it with each run, and in trails.
_MOST = 1000


def command_line() -> str:
    """What was typed, as one would type it again, as far as it is kept."""
    return shortened(storable(shlex.join(["guestctl", *sys.argv[1:]])))


def shortened(command: str) -> str:
    """As much of a command as is kept."""
    return command if len(command) <= _MOST else f"{command[: _MOST - 1]}…"
