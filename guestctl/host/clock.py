"""The host's clock: whether somebody keeps it right, as the kernel was told."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

from ..model.host_details import Clock

#: Written by systemd as it starts in a container, whose clock is another machine's.
_CONTAINER = Path("/run/systemd/container")
_ADJTIME = Path("/etc/adjtime")
#: Microseconds, what the kernel begins with; systemd's NTPSynchronized goes by the same.
_MOST_ERROR = 16_000_000
_READ_ONLY = 0


class _Timex(ctypes.Structure):
    """The beginning of adjtimex(2)'s, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    )


def look(container: Path = _CONTAINER, adjtime: Path = _ADJTIME) -> Clock:
    """How it is.  Nobody is asked who would have to be started for it, as timedated would."""
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    synchronised = None if container.exists() else _is_synchronised()
    return Clock(synchronised, up, _is_local(adjtime))


def _is_synchronised() -> bool | None:
    """None where the kernel does not say: a sandbox can forbid the question."""
    timex = _Timex(modes=_READ_ONLY)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    return None if state < 0 else int(timex.maxerror) < _MOST_ERROR


def _is_local(adjtime: Path) -> bool:
    """hwclock(8): the third line."""
    try:
        return adjtime.read_text().splitlines()[2].strip() == "LOCAL"
    except (OSError, ValueError, IndexError):
        return False
