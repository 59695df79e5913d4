#!/usr/bin/python3
"""Stands in for a program that libvirt sends a managed save through, and lets it pass slowly.

Installed as `lzop` it is what libvirt runs for `save_image_format = "lzop"`; installed as
`libvirt_iohelper`, the real one beside it as `libvirt_iohelper.real`, it gets the usual saves, not
compressed.  The rate, in bytes a second, is read again and again from the file `save-rate` beside
this program, so that a test can change it during a save; without the file, or with 0, the copy is
as fast as it can be.  A restore always is.
"""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

PROGRAM = Path(sys.argv[0])
RATE_FILE = PROGRAM.with_name("save-rate")
STEP_SECONDS = 0.1
FAST_CHUNK = 1 << 20


def rate() -> int:
    """The wanted bytes per second, 0 for no limit."""
    try:
        return int(RATE_FILE.read_text())
    except (OSError, ValueError):
        return 0


def copy_slowly(out: IO[bytes]) -> None:
    """Copy standard input, never ahead of the rate."""
    due = time.monotonic()
    while True:
        wanted = rate()
        chunk = sys.stdin.buffer.read(max(1, int(wanted * STEP_SECONDS)) if wanted else FAST_CHUNK)
        if not chunk:
            return
        out.write(chunk)
        out.flush()
        due = max(due, time.monotonic() - STEP_SECONDS) + (len(chunk) / wanted if wanted else 0)
        time.sleep(max(0.0, due - time.monotonic()))


def pack() -> None:
    """Be lzop."""
    if any(word.startswith("-d") for word in sys.argv[1:]):
        shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer, FAST_CHUNK)
    else:
        copy_slowly(sys.stdout.buffer)


def help_writing() -> None:
    """Be libvirt's helper: for a save, whose data comes in through a pipe, the real one's feed."""
    argv = [str(PROGRAM.with_name(f"{PROGRAM.name}.real")), *sys.argv[1:]]
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        os.execv(argv[0], argv)
    real = subprocess.Popen(argv, stdin=subprocess.PIPE, close_fds=False)
    assert real.stdin is not None
    copy_slowly(real.stdin)
    real.stdin.close()
    sys.exit(real.wait())


if __name__ == "__main__":
    pack() if PROGRAM.name == "lzop" else help_writing()
