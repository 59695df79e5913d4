#!/usr/bin/python3
"""Stands in for lzop where a save is to take long: copies its input at a given rate.

libvirt runs it for `save_image_format = "lzop"`.  The rate, in bytes a second, is read again and
again from the file `lzop-rate` beside this program, so that a test can change it during a save;
without the file, or with 0, the copy is as fast as it can be.  A restore (`-dc`) always is.
"""

import shutil
import sys
import time
from pathlib import Path

RATE_FILE = Path(sys.argv[0]).with_name("lzop-rate")
STEP_SECONDS = 0.1
FAST_CHUNK = 1 << 20


def rate() -> int:
    """The wanted bytes per second, 0 for no limit."""
    try:
        return int(RATE_FILE.read_text())
    except (OSError, ValueError):
        return 0


def copy_slowly() -> None:
    """Copy standard input to standard output, never ahead of the rate."""
    due = time.monotonic()
    while True:
        wanted = rate()
        chunk = sys.stdin.buffer.read(max(1, int(wanted * STEP_SECONDS)) if wanted else FAST_CHUNK)
        if not chunk:
            return
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        due = max(due, time.monotonic() - STEP_SECONDS) + (len(chunk) / wanted if wanted else 0)
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    if any(word.startswith("-d") for word in sys.argv[1:]):
        shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer, FAST_CHUNK)
    else:
        copy_slowly()
