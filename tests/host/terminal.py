"""A user's login session at a terminal of a host, and what is typed there."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time
from types import TracebackType
from typing import Self

from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

#: Of what is shown, as terminals are told of colours and of where to be.
_DRAWN = re.compile(r"\x1b(\[[0-9;:?]*[A-Za-z]|\][^\x1b\x07]*(\x07|\x1b\\))")
#: Given as an argument, systemd would see variables of its own in it.
SCRIPT = "/var/tmp/at-terminal"
_LINE = r"(?m)^(/dev/pts/\d+)$"


class Terminal:
    """A shell that runs a command there, and says in the end with what status; a context manager.

    The session is a real one: polkit asks nobody else in a container.
    """

    def __init__(self, host: Host, user: str, command: str) -> None:
        self._host = host
        self._seen = b""
        self._ours, theirs = pty.openpty()
        # The shell outlives Ctrl-C.
        script = host.root / SCRIPT.lstrip("/")
        script.write_text(f'tty\ntrap : INT\n{command}\necho "status $?"\nstty -a\n')
        session = ("systemd-run", "--quiet", "--pty", f"--uid={user}", "--property=PAMName=login")
        argv = ["setsid", "--ctty", *session, "/bin/sh", SCRIPT]
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
        self._child: subprocess.Popen[bytes] = host.popen(argv, **streams)
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait(20)
        os.close(self._ours)

    @property
    def shown(self) -> str:
        """All that has been, without colours."""
        return _DRAWN.sub("", self._seen.decode(errors="replace")).replace("\r", "")

    def wait_for(self, pattern: str, timeout: float = 30) -> re.Match[str]:
        """Read on until that is shown."""
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.shown)):
            if time.monotonic() > end:
                raise TimeoutError(f"no {pattern} on the terminal: {self.shown}")
            if select.select([self._ours], [], [], 0.1)[0]:
                self._seen += self._read()
        return found

    def _read(self) -> bytes:
        try:
            return os.read(self._ours, 4096)
        except OSError as error:  # nobody has the other end open any more
            raise EOFError(f"the session has ended: {self.shown}") from error

    def give_password(self, text: str) -> None:
        """Type it once it is asked for: what is typed before the echo is off is thrown away."""
        self.wait_for("assword: ")
        line = self._host.path(self.wait_for(_LINE)[1])
        wait_until(lambda: not _echoes(str(line)), 10, "terminal without echo")
        self.type(f"{text}\n")

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._ours, text.encode())

    def status(self, timeout: float = 60) -> int:
        """Of the command, once it has ended, and the terminal is as it should be."""
        found = int(self.wait_for(r"status (\d+)", timeout)[1])
        self.wait_for(r"(?<!-)\becho\b", 10)
        return found


def _echoes(path: str) -> bool:
    line = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    try:
        return bool(termios.tcgetattr(line)[3] & termios.ECHO)
    finally:
        os.close(line)
