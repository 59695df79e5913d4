"""Files of other programs, which may hold anything, or be anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..model.given import NotUnderstood

#: More than any file of settings, and any dump of a host's guests.
MOST_BYTES = 16 * 2**20


def read_text(file: Path) -> str:
    """The text of a file.  OSError where it cannot be read, NotUnderstood where it is no text."""
    # A pipe that nobody writes to is not waited for.
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:  # open() would leave a folder's descriptor open
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotUnderstood(file, None, "is not a plain file")
        return _text(file, _whole(file, descriptor))
    finally:
        os.close(descriptor)


def _whole(file: Path, descriptor: int) -> bytes:
    parts, size = [], 0
    while part := os.read(descriptor, 2**20):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise NotUnderstood(file, None, f"has more than {MOST_BYTES // 2**20} MiB")
    return b"".join(parts)


def _text(file: Path, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise NotUnderstood(file, line, f"is not UTF-8 (byte {error.start})") from error
