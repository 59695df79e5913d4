"""Exit statuses, and what is said on stderr."""

from __future__ import annotations

import contextlib
import sys
from enum import IntEnum

from ..control.failure import Failure
from ..model.text import printable as printable


class Exit(IntEnum):
    """What scripts rely on."""

    OK = 0
    NOT_ALL_WELL = 1
    WRONG_REQUEST = 2
    NOT_PERMITTED = 3
    NO_HYPERVISOR = 4
    LOCKED = 5


#: Of who was told to end, as shells have it: 128 and the number of SIGINT.
INTERRUPTED = 130


class OutputLost(Exception):
    """What was to be printed is lost; the text says why."""


def exit_of(failure: Failure | None) -> Exit:
    """The status that stands for a failure; OK for none."""
    return Exit[failure.name] if failure else Exit.OK


def complain(message: str) -> None:
    """Say what is wrong on stderr, each line as guestctl's; nothing fails for want of a reader."""
    with contextlib.suppress(OSError, ValueError):
        for line in message.splitlines():
            print(f"guestctl: {printable(line)}", file=sys.stderr)
