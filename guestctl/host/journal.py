"""The service's log: lines in the journal, with fields to search by.

    journalctl GUESTCTL_GUEST=web

Where there is no journal the lines go to stderr, with priorities as sd-daemon(3) has them.

A thread of its own writes them, in their order: a journald that hangs must keep neither guests
nor systemd's watchdog waiting.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import sys
import threading
import time
from enum import IntEnum
from typing import NamedTuple

from systemd import journal

SOCKET = "/run/systemd/journal/socket"
#: Lines that wait for journald; with so many, further ones are dropped and counted.
MOST_WAITING = 2000
#: Seconds that the end of the process waits for them.
FLUSH_LIMIT = 1.5
_FLUSH_POLL = 0.005


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
    "trigger": "GUESTCTL_TRIGGER",  # what began that run
    "step": "GUESTCTL_STEP",  # what is done to the guest
    "reason": "GUESTCTL_REASON",  # why
}


class _Line(NamedTuple):
    message: str
    priority: Priority
    fields: dict[str, object]


class _Writer:
    """Writes what waits, in a daemon thread that begins with the first line."""

    def __init__(self) -> None:
        self._lines: queue.Queue[_Line] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._dropped = 0

    def put(self, line: _Line) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            line = self._lines.get()
            try:
                _write(line)
                self._tell_of_dropped()
            finally:
                self._lines.task_done()

    def _tell_of_dropped(self) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            text = f"journald was behind: {dropped} lines of guestctl are missing here"
            _write(_Line(text, Priority.WARNING, {}))

    def flush(self, limit: float) -> bool:
        """Whether everything was written within so many seconds."""
        end = time.monotonic() + limit
        while self._lines.unfinished_tasks:
            if time.monotonic() >= end:
                return False
            time.sleep(_FLUSH_POLL)  # Queue.join has no time limit
        return True


_writer = _Writer()


def log(message: str, *, priority: Priority = Priority.INFO, **fields: object) -> None:
    """Write a line; `fields` are named as in FIELDS, and those that are None are left out.

    Never fails and never waits: see `flush`.
    """
    named = {FIELDS.get(key, f"GUESTCTL_{key.upper()}"): value for key, value in fields.items()}
    _writer.put(_Line(message, priority, named))


def flush(limit: float = FLUSH_LIMIT) -> bool:
    """Wait until everything is written; False when that takes longer than so many seconds."""
    return _writer.flush(limit)


atexit.register(flush)


def warn(message: str) -> None:
    """A line that somebody should look at."""
    log(message, priority=Priority.WARNING)


def _write(line: _Line) -> None:
    if not (os.path.exists(SOCKET) and _to_journal(*line)):
        _to_stderr(line.message, line.priority)


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
