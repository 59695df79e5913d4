"""A run of the service at a terminal: it is left, seen again with its own times, and ended."""

from __future__ import annotations

import shlex

import pytest

from tests.host.service import wait_watching
from tests.host.stage import FEW
from tests.host.support import all_lived_on, look, wait_saving
from tests.host.terminal import Terminal
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW
ONE = CAST.saved[0]
#: Bytes a second: no save is over before it is to be.
NEVER_DONE = 500_000
CTRL_C = "\x03"


def test_left_seen_again_and_ended(host: Host) -> None:
    before = look(host, CAST.names)
    host.slow_saves(NEVER_DONE)
    with Terminal(host, "root", f"guestctl shutdown --preserve {shlex.quote(ONE)}") as terminal:
        wait_saving(host, [ONE])
        terminal.wait_for(r"Preserving 1 guest: 0 of 1 done")
        terminal.type(CTRL_C)
        assert terminal.status() == 130
        assert "the run goes on in the service; `guestctl attach` shows it again" in terminal.shown

    with Terminal(host, "root", "sleep 3; guestctl attach") as terminal:
        terminal.wait_for(r"Preserving 1 guest: 0 of 1 done, ([4-9]|\d\d)[.\d]*s of at most")
        cancelled = host.run(["guestctl", "cancel"])
        assert terminal.status() == 1
        assert "the run was interrupted" in terminal.shown
    assert "the run was interrupted" in cancelled.stderr
    host.slow_saves(0)
    late = host.run(["guestctl", "attach"], check=False)
    assert late.returncode == 1
    assert "no run is under way in the service; the last was run" in late.stderr
    assert all_lived_on(host, before.ticks)
    wait_watching(host)
