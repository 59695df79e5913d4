"""The service's log: lines in the journal, with fields to search by.

    journalctl GUESTCTL_GUEST=web

Where there is no journal the lines go to stderr, with priorities as sd-daemon(3) has them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from enum import IntEnum

from systemd import journal

SOCKET = "/run/systemd/journal/socket"


class Priority(IntEnum):
    """How much a line matters (syslog(3))."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


#: What a line can be about, and the field that says so.
FIELDS = {
    "guest": "GUESTCTL_GUEST",  # the guest's name
    "uuid": "GUESTCTL_UUID",  # and UUID
    "uri": "GUESTCTL_URI",  # the libvirt connection
    "run": "GUESTCTL_RUN",  # number of the run in the ledger, as `guestctl history` has it
    "door": "GUESTCTL_DOOR",  # what opened that run
    "step": "GUESTCTL_STEP",  # what is done to the guest
    "reason": "GUESTCTL_REASON",  # why
}


def log(message: str, *, priority: Priority = Priority.INFO, **fields: object) -> None:
    """Write a line; `fields` are named as in FIELDS, and those that are None are left out.

    Never fails.  It waits for journald where that is behind.
    """
    named = {FIELDS.get(key, f"GUESTCTL_{key.upper()}"): value for key, value in fields.items()}
    if not (os.path.exists(SOCKET) and _to_journal(message, priority, named)):
        _to_stderr(message, priority)


def warn(message: str) -> None:
    """A line that somebody should look at."""
    log(message, priority=Priority.WARNING)


def _to_journal(message: str, priority: Priority, fields: dict[str, object]) -> bool:
    """Whether it was written.  Without a journal sd_journal_sendv(3) fails without a word."""
    values: dict[str, object] = {
        "MESSAGE": message,
        "PRIORITY": int(priority),
        "SYSLOG_IDENTIFIER": "guestctl",
        **{name: value for name, value in fields.items() if value is not None},
    }
    try:
        # Not journal.send, which looks for the caller's place in the source each time.
        journal.sendv(
            *(f"{name}={value}".encode(errors="replace") for name, value in values.items())
        )
    except (OSError, ValueError):
        return False
    return True


def _to_stderr(message: str, priority: Priority) -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in message.splitlines():
            print(f"<{int(priority)}>{line}", file=sys.stderr, flush=True)
