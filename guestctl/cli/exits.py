"""Exit statuses, and errors that end a command with one of them."""

from __future__ import annotations

import contextlib
import sys
from enum import IntEnum


class Exit(IntEnum):
    """What scripts rely on."""

    OK = 0
    NOT_ALL_WELL = 1
    WRONG_REQUEST = 2
    NOT_PERMITTED = 3
    NO_HYPERVISOR = 4
    LOCKED = 5


class CommandError(Exception):
    """The command ends with this status; the text reads "cannot …: cause"."""

    def __init__(self, status: Exit, message: str) -> None:
        self.status = status
        super().__init__(message)


def complain(message: str) -> None:
    """Say what is wrong on stderr, each line as guestctl's; nothing fails for want of a reader."""
    with contextlib.suppress(OSError, ValueError):
        for line in message.splitlines():
            print(f"guestctl: {line}", file=sys.stderr)
