"""Where the log goes: lines in the journal, with fields to search by.

    journalctl GUESTCTL_GUEST=web

Whoever has something to say uses the standard library's logging; a field of the journal is an
attribute of the record in capitals (`extra={"GUESTCTL_GUEST": name}`), as systemd's own
JournalHandler has it.  Where there is no journal the lines go to stderr, with priorities as
sd-daemon(3) has them.

A thread of its own writes them, in their order: a journald that hangs must keep neither guests
nor systemd's watchdog waiting.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator

from systemd import journal

SOCKET = "/run/systemd/journal/socket"
#: Lines that wait for journald; with so many, further ones are dropped and counted.
MOST_WAITING = 2000
#: Seconds that the end of the process waits for them.
FLUSH_LIMIT = 1.5
_FLUSH_POLL = 0.005
#: How much a line matters, as syslog(3) counts it; what stands between two levels is the lesser.
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
_DEBUG = 7


@contextlib.contextmanager
def started(*, or_stderr: bool = True) -> Iterator[None]:
    """What guestctl's modules log meanwhile is written: never fails, and never keeps them waiting.

    or_stderr: whether it goes there where there is no journal; else it is dropped.
    The end waits for journald, at most FLUSH_LIMIT.
    """
    sender = _Sender()
    writer = _Writer(sender, or_stderr=or_stderr)
    log = logging.getLogger("guestctl")
    log.setLevel(logging.INFO)
    # The root logger writes to stderr once a library has logged (logging.basicConfig).
    log.propagate = False
    log.addHandler(sender)
    writer.start()
    try:
        yield
    finally:
        log.removeHandler(sender)
        log.propagate = True
        writer.end(FLUSH_LIMIT)


class _Sender(logging.Handler):
    """Queues lines, and counts those for which there is no room.

    That of logging.handlers takes 400 KiB of the service's memory, for what it does not need.
    """

    def __init__(self) -> None:
        super().__init__()
        #: None is the end.
        self.queue: queue.Queue[logging.LogRecord | None] = queue.Queue(MOST_WAITING)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(self._whole(record))
        except queue.Full:
            self._lost += 1
        except Exception:  # noqa: BLE001 - a line must not end what it is about
            self.handleError(record)

    def _whole(self, record: logging.LogRecord) -> logging.LogRecord:
        """Its text made now: what it is about may change before it is written."""
        record.msg = record.message = self.format(record)
        record.args = record.exc_info = record.exc_text = record.stack_info = None
        return record

    def take_lost(self) -> int:
        """How many lines were lost since this was asked last."""
        lost, self._lost = self._lost, 0
        return lost


class _Writer:
    """Writes what waits, in a daemon thread."""

    def __init__(self, sender: _Sender, *, or_stderr: bool) -> None:
        self._lines = sender.queue
        self._sender = sender
        self._handler = _JournalHandler(or_stderr=or_stderr)
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)

    def start(self) -> None:
        """From now on."""
        self._thread.start()

    def _write(self) -> None:
        while (record := self._lines.get()) is not None:
            self._handle(record)
            self._lines.task_done()
        self._lines.task_done()

    def _handle(self, record: logging.LogRecord) -> None:
        self._handler.handle(record)
        if lost := self._sender.take_lost():
            text = f"journald was behind: {lost} lines of guestctl are missing here"
            missing = {"msg": text, "levelno": logging.WARNING}
            self._handler.handle(logging.makeLogRecord(missing))

    def end(self, limit: float) -> None:
        """End once all is written, at most so many seconds from now: `join` alone has no limit.

        Later than that the thread ends by itself, should journald go on.
        """
        is_done = self._is_done_within(limit)
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        if is_done:
            self._thread.join()

    def _is_done_within(self, limit: float) -> bool:
        end = time.monotonic() + limit
        while self._lines.unfinished_tasks:
            if time.monotonic() >= end:
                return False
            time.sleep(_FLUSH_POLL)  # Queue.join has no time limit
        return True


class _JournalHandler(logging.Handler):
    """Writes a line to the journal with its fields, to stderr where that is not possible."""

    def __init__(self, *, or_stderr: bool) -> None:
        super().__init__()
        self._or_stderr = or_stderr

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text, priority = self.format(record), _priority(record.levelno)
            written = os.path.exists(SOCKET) and _to_journal(text, priority, _fields(record))
            if self._or_stderr and not written:
                _to_stderr(text, priority)
        except Exception:  # noqa: BLE001 - a line must not end the thread that writes the others
            self.handleError(record)


def _priority(level: int) -> int:
    known = [priority for least, priority in _PRIORITIES.items() if level >= least]
    return min(known, default=_DEBUG)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What the line is about; fields that are None are left out."""
    found = vars(record).items()
    return {name: value for name, value in found if name.isupper() and value is not None}


def _to_journal(message: str, priority: int, fields: dict[str, object]) -> bool:
    """Whether it was written.  Without a journal sd_journal_sendv(3) fails without a word."""
    values: dict[str, object] = {
        "MESSAGE": message,
        "PRIORITY": priority,
        "SYSLOG_IDENTIFIER": "guestctl",
        **fields,
    }
    try:
        # Not journal.send, which looks for the caller's place in the source each time.
        journal.sendv(
            *(f"{name}={value}".encode(errors="replace") for name, value in values.items())
        )
    except (OSError, ValueError):
        return False
    return True


def _to_stderr(message: str, priority: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in message.splitlines():
            print(f"<{priority}>{line}", file=sys.stderr, flush=True)
