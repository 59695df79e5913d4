"""A real pseudo-terminal of a given size, and what stands on it in the end."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Mapping
from types import MappingProxyType

ROWS, COLUMNS = 24, 80


def on_terminal(
    argv: list[str],
    *,
    rows: int = ROWS,
    columns: int = COLUMNS,
    env: Mapping[str, str] = MappingProxyType({}),
    user: int | None = None,
    folder: str | None = None,
) -> str:
    """All that the program writes to its terminal.

    env: beside TERM and what is there.  user, folder: as whom, and where it is run.
    """
    child, master = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if folder is not None:
            os.chdir(folder)
        if user is not None:
            os.setgid(user)
            os.setuid(user)
        os.execvpe(argv[0], argv, {**os.environ, "TERM": "xterm-256color", **env})
    said = b""
    while part := _read(master):
        said += part
    os.close(master)
    os.waitpid(child, 0)
    return said.decode()


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # EIO: nobody has the other end open any more
        return b""


def python(code: str, **differs: object) -> str:
    """The same of this interpreter."""
    return on_terminal([sys.executable, "-c", code], **differs)  # type: ignore[arg-type]
