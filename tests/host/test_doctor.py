"""The doctor on a real host: nothing where all is well, and each check of units provoked, and gone
after what it says was done."""

from __future__ import annotations

import pytest

from tests.host import doctor
from tests.host.stage import FEW
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW


def test_a_healthy_host_has_nothing_worse_than_a_note(host: Host) -> None:
    shown = host.run(["guestctl", "doctor"], check=False)
    print(shown.stdout, shown.stderr)
    print(host.run(["time", "-p", "guestctl", "doctor"], check=False).stderr)
    assert (shown.returncode, shown.stderr) == (0, ""), shown.stdout
    assert doctor.trouble(host) == []
