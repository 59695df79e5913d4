"""Whoever acts is on record, on a real host: in the trail, in the history, in the journal."""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

import pytest

from tests.host.stage import FEW
from tests.host.support import NO_BUS, journal_since, trail
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW
ONE = CAST.saved[0]


def newest_run(host: Host) -> dict[str, Any]:
    """As `history --json` has it."""
    (run,) = json.loads(host.run(["guestctl", "history", "--json", "-n", "1"]).stdout)
    found: dict[str, Any] = run
    return found


WAYS = {"by-the-service": ["guestctl"], "in-process": ["env", NO_BUS, "guestctl"]}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_a_command_does_is_its_users(way: list[str], host: Host) -> None:
    since = time.time_ns()
    held = host.run([*way, "hold", "--reason", "its disk", ONE])
    assert held.stdout == f"{ONE}: held by root: its disk\n"
    host.run([*way, "release", ONE])
    host.run([*way, "shutdown", "--preserve", ONE])
    down = newest_run(host)
    host.run([*way, "start", "--run", str(down["id"])])

    said = trail(host, ONE)
    assert "its disk" in " ".join(said)
    assert any(reason.startswith("saved by an operator (observed)") for reason in said)
    command = f"guestctl shutdown --preserve {shlex.quote(ONE)}"
    assert (down["user"], down["command"]) == ("root", command)
    assert [guest["name"] for guest in newest_run(host)["guests"]] == [ONE]
    assert newest_run(host)["command"] == f"guestctl start --run {down['id']}"

    journal = journal_since(host, since, "GUESTCTL_USER=root")
    assert f"{ONE}: held by root: its disk (root" in journal
    assert "preserve of 1 guest begins (command, root" in journal
    assert command in journal
    # A ledger that is gone by now may have had another run of that number.
    of_run = journal_since(host, since, f"GUESTCTL_RUN={down['id']}", f"GUESTCTL_GUEST={ONE}")
    assert len([line for line in of_run.splitlines() if f" {ONE}: " in line]) == 2
