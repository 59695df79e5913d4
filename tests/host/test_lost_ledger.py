"""An old ledger was put back, and then it is lost: nobody starts who was turned off since, and
nobody who was up is forgotten."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.host.stage import FEW
from tests.host.support import (
    journal_since,
    listed,
    lived_once,
    look,
    newest_run,
    outcomes,
    wait_restored,
    went_on,
)
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by

pytestmark = pytest.mark.hosts

CAST = FEW
OFF, HELD, SAVED = FEW.saved
BACK = {SAVED: "resumed", "slow": "started", "ignores": "started"}


def test_its_copy_tells_what_it_does_not(host: Host, tmp_path: Path) -> None:
    state, old = host.root / "var/lib/guestctl", tmp_path / "old"
    leave_by(host, POWEROFF)
    shutil.copytree(state, old)
    host.boot()
    wait_restored(host)
    host.run(["guestctl", "shutdown", OFF])
    host.run(["guestctl", "hold", "--reason", "its disk", HELD])
    assert_known(host, state, old, "is older than its copy")
    assert_known(host, state, None, "was lost")
    host.run(["guestctl", "release", HELD])


def assert_known(host: Host, state: Path, ledger: Path | None, said: str) -> None:
    """With this ledger, or none, at the next boot."""
    before = look(host, BACK)
    leave_by(host, POWEROFF)
    shutil.rmtree(state)
    if ledger:
        shutil.copytree(ledger, state)
    since = time.time_ns()
    host.boot()
    wait_restored(host)
    assert f"the ledger {said}" in journal_since(host, since)
    assert newest_run(host, trigger="boot")["ok"] is False
    assert outcomes(host, "restore", before.at) == BACK | {HELD: "held"}
    assert went_on(host, SAVED, before.ticks[SAVED])
    assert all(lived_once(host, name) for name in BACK)
    rows = listed(host)
    assert (rows[OFF]["state"], rows[OFF]["wanted"]) == ("shut off", "off")
    assert (rows[HELD]["state"], "its disk" in rows[HELD]["held"]) == ("shut off", True)
