"""Telling systemd how the service is (sd_notify(3)).

Each method says whether systemd's socket took the message.  Nothing waits for it: where it is
full the message is dropped, and where there is no systemd nothing happens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from sdnotify import SystemdNotifier

from ..model.text import printable

#: systemd passes over messages of more than 4096 bytes (NOTIFY_BUFFER_MAX, which is PIPE_BUF).
LONGEST_STATUS = 2000


class Notifier:
    """systemd's notification socket; each thing said goes in a message of its own.

    systemd drops a message it cannot read as a whole, and a guest's name in STATUS= must not
    cost the EXTEND_TIMEOUT_USEC= that keeps us alive.
    """

    def __init__(self) -> None:
        """Speak to NOTIFY_SOCKET, if the environment names one."""
        self._notifier: SystemdNotifier | None = None
        if os.environ.get("NOTIFY_SOCKET"):
            self._notifier = _open()
        #: Seconds between two calls of `watchdog`; None where systemd does not wait for any.
        self.watchdog_interval = _watchdog_interval(os.environ, os.getpid())

    def close(self) -> None:
        """Say nothing more."""
        if self._notifier is not None:
            self._notifier.socket.close()
            self._notifier = None

    def ready(self) -> bool:
        """The service is up, or has finished reloading."""
        return self._say("READY=1")

    def stopping(self) -> bool:
        """The service ends.  Sent before systemd stops it, this starts TimeoutStopSec=."""
        return self._say("STOPPING=1")

    def reloading(self) -> bool:
        """A reload begins; `ready` ends it.

        Type=notify-reload, new in systemd 253, wants the time in the same message.
        """
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self._say(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def status(self, text: str) -> bool:
        """What `systemctl status` shows, on one line."""
        # Each line of a message is a statement: a name must not bring any of its own.
        line = printable(" ".join(text.split()))
        cut = line.encode(errors="replace")[:LONGEST_STATUS].decode(errors="ignore")
        return self._say(f"STATUS={cut}")

    def watchdog(self) -> bool:
        """The service is alive."""
        return self._say("WATCHDOG=1")

    def extend(self, seconds: float) -> bool:
        """Ask for time: systemd's deadline is to be at least so many seconds from now.

        It counts in the phase it is sent in, such as the stop; to be repeated well inside it.
        """
        return self._say(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _say(self, message: str) -> bool:
        if self._notifier is None:
            return False
        try:
            # sdnotify 0.3 encodes as Latin-1, and with any other character sends nothing at all.
            self._notifier.notify(message.encode(errors="replace").decode("latin-1"))
        except OSError:
            return False
        return True


def _open() -> SystemdNotifier | None:
    try:
        # debug: it raises, so that we know what was lost.
        notifier = SystemdNotifier(debug=True)
    except OSError:
        return None
    # systemd reads it one by one; if it hangs, we must not.
    notifier.socket.setblocking(False)
    return notifier


def _watchdog_interval(environment: Mapping[str, str], pid: int) -> float | None:
    """Half of what systemd allows, as sd_watchdog_enabled(3) advises."""
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    try:
        allowed = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return allowed / 2e6 if allowed > 0 else None
