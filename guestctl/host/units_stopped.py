"""That systemd stopped units as the host went down: kept for whoever comes after, in the same boot.

A soft-reboot keeps the kernel's id of the boot, and /run. So does a stop that is cancelled while no
service is there to see it: this tells one from the other.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from .own_files import replace

_FILE = "units-stopped"


class UnitsStopped:
    """The note of it, in a folder that is of this boot."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def say(self) -> None:
        """They are being stopped now.  Not worth failing for."""
        with contextlib.suppress(OSError):
            replace(self._file, "")

    def said(self) -> bool:
        """Whether they were since a stop of the host last began, or that cannot be told."""
        try:
            self._file.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            pass
        return True

    def forget(self) -> None:
        """A stop of the host begins, which may yet be cancelled.  Not worth failing for."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)
