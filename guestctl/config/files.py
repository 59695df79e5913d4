"""Which files a host's configuration is in."""

from __future__ import annotations

import os
from pathlib import Path

MAIN_FILE = Path("/etc/guestctl/guestctl.toml")
DROP_INS = Path("/etc/guestctl/conf.d")


def host_files() -> list[Path]:
    """The host's files, in the order in which they are read; any may be gone by then.

    Raises OSError when the folder of drop-ins cannot be read.
    """
    try:
        names = sorted(os.listdir(DROP_INS))
    except (FileNotFoundError, NotADirectoryError):
        names = []
    # Hidden files are what editors and dpkg leave behind.
    drop_ins = [name for name in names if name.endswith(".toml") and not name.startswith(".")]
    return [MAIN_FILE, *(DROP_INS / name for name in drop_ins)]
