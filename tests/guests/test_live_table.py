"""What a run looks like: a table on a terminal, plain lines in a pipe, nothing when quiet."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable
from typing import Self

import pytest

from tests.conftest import Guestctl
from tests.testbed.session import SessionDaemon

from .support import launch, listed, wait_for_job

pytestmark = pytest.mark.guests

ROWS, COLUMNS = 24, 80
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: How far a save is, as a bar and in per cent.
PART_OF_A_BAR = re.compile(r"#+\.+ +\d+%")


class Terminal:
    """The command on a terminal of its own, as its controlling one."""

    def __init__(self, guestctl: Guestctl, *arguments: str) -> None:
        """Start the command."""
        self.said = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        env = {**guestctl.daemon.env, "TERM": "xterm-256color"}
        argv = ["setsid", "--ctty", *guestctl.argv(*arguments)]
        self.child = guestctl.daemon.popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)

    def __enter__(self) -> Self:
        """The command runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the terminal away."""
        os.close(self._master)

    def read_until(self, shown: Callable[[str], bool], limit: float = 60) -> None:
        """Collect what is written until it is as wanted, or the last writer has gone."""
        deadline = time.monotonic() + limit
        received = self.said.encode()
        while not shown(self.said):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._master], [], [], left)[0]:
                raise TimeoutError(f"not shown within {limit:g} s: {self.said!r}")
            try:
                received += os.read(self._master, 65536)
            except OSError:  # EIO: nobody has the other end open any more
                return
            # The end may be half a character.
            self.said = received.decode(errors="ignore")

    def end(self) -> str:
        """Collect the rest, and hold the command to having ended well; all that was written."""
        self.read_until(lambda _: False)
        assert self.child.wait(10) == 0, self.said
        return self.said


def shows_progress(said: str) -> bool:
    """Whether some bar is known to be somewhere in between."""
    return PART_OF_A_BAR.search(said) is not None


def test_table_on_a_terminal(slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl) -> None:
    slow.set_save_rate(6_000_000)
    with Terminal(slow_guestctl, "shutdown", "--preserve") as terminal:
        terminal.read_until(shows_progress)
        slow.set_save_rate(0)
        said = terminal.end()
    shown = CONTROL.sub("", said)
    assert "\x1b[" in said
    for heading in ("guest", "step", "progress", "left", "elapsed"):
        assert heading in shown
    assert shows_progress(shown)
    assert re.search(rf"{slow_web} +save ", shown)
    assert re.search(rf"{slow_web} +saved ", shown)
    assert "1 guest: 1 saved" in shown


def test_terminal_goes_away(slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl) -> None:
    """As when an operator's connection breaks: what was begun for the host's sake goes on."""
    slow.set_save_rate(6_000_000)
    with Terminal(slow_guestctl, "shutdown", "--preserve") as terminal:
        wait_for_job(slow, slow_web, "Save")
    slow.set_save_rate(0)
    terminal.child.wait(60)
    assert listed(slow_guestctl, slow_web)["saved"]
    (run,) = slow_guestctl.json("history")
    assert run["ok"]


def test_reader_goes_away(slow: SessionDaemon, slow_web: str, slow_guestctl: Guestctl) -> None:
    """As in `guestctl shutdown --preserve | head -1`."""
    with launch(slow_guestctl, "shutdown", "--preserve") as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        child.wait(60)
    assert listed(slow_guestctl, slow_web)["saved"]


def test_plain_lines_in_a_pipe(web: str, guestctl: Guestctl) -> None:
    said = guestctl.run("shutdown", "--preserve", web).stdout.splitlines()
    assert said[1] == f"{web}: save begins, at most 10min"
    assert re.fullmatch(rf"{web}: saved after \d+\.\d s", said[2])
    assert said[3] == "1 guest: 1 saved"
    assert "\x1b" not in "".join(said)


def test_nothing_when_quiet(web: str, guestctl: Guestctl) -> None:
    result = guestctl.run("shutdown", "--preserve", "--quiet", web)
    assert (result.stdout, result.stderr) == ("", "")
    with Terminal(guestctl, "start", "--quiet") as terminal:
        assert terminal.end() == ""
