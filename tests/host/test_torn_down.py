"""What the service is made of goes away under it: what runs is enough to preserve everybody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.host.stage import FEW
from tests.host.support import assert_back, look, outcomes, wait_restored
from tests.testbed import slow_save
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, TARGET, Trigger

pytestmark = pytest.mark.hosts

CAST = FEW
ASIDE, IOHELPER = "/var/tmp/aside", "/usr/lib/libvirt/libvirt_iohelper"


@pytest.mark.parametrize("trigger", [POWEROFF, TARGET], ids=lambda trigger: trigger.command)
def test_python_is_removed(trigger: Trigger, host: Host) -> None:
    """As by an upgrade of the distribution that is cut off, or by a slip."""
    before = look(host, CAST.names)
    with without_python(host):
        assert host.run(["guestctl", "--version"], check=False).returncode != 0
        host.poweroff(trigger.command)
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)


@contextmanager
def without_python(host: Host) -> Iterator[None]:
    """Meanwhile it is elsewhere; put back on the disk, on or off."""
    folders = [path.name for path in (host.root / "usr/lib").glob("python3*")]
    moves = [(f"/usr/lib/{name}", f"{ASIDE}/{name}") for name in folders]
    host.run(["mkdir", "-p", ASIDE])
    # The test bed's own is a script.
    host.run(["cp", f"{IOHELPER}.real", IOHELPER])
    for place, aside in moves:
        host.run(["mv", place, aside], timeout=120)
    try:
        yield
    finally:
        for place, aside in moves:
            host.run_on_disk(["mv", aside, place], timeout=120)
        shutil.copy(Path(slow_save.__file__), host.root / IOHELPER.lstrip("/"))
