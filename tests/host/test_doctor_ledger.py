"""What the doctor finds of the ledger, of folders on the network, and of logind: each provoked on a
real host, and gone after what it says was done."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import pytest

from tests.command import PROJECT
from tests.host import doctor
from tests.host.doctor import checks, gone_after_its_command
from tests.host.service import UNIT, wait_watching
from tests.host.stage import FEW
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
SAVES, STATE = "/var/lib/libvirt/qemu/save", "/var/lib/guestctl"
LEDGER = f"{STATE}/ledger.db"
LOGIND = "systemd-logind.service"


@contextlib.contextmanager
def service_off(host: Host) -> Iterator[None]:
    """Meanwhile the service does not run."""
    host.run(["systemctl", "stop", UNIT])
    try:
        yield
    finally:
        host.run(["systemctl", "start", UNIT])
        wait_watching(host)


@contextlib.contextmanager
def on_network(host: Host, folder: str) -> Iterator[None]:
    """Meanwhile the folder is on a file system that calls itself one of another machine."""
    shutil.copy(PROJECT / "tests/testbed/empty_fuse.py", host.root / "var/tmp")
    server = host.popen(["python3", "/var/tmp/empty_fuse.py", "fuse.sshfs", folder])
    mounted = ["mountpoint", "--quiet", folder]
    wait_until(lambda: host.run(mounted, check=False).returncode == 0, 20, f"mount on {folder}")
    try:
        yield
    finally:
        host.run(["umount", folder])
    assert server.wait(20) == 0


def test_saves_that_go_over_the_network(host: Host) -> None:
    with on_network(host, SAVES):
        found = doctor.found(host, "saves-on-network")
        assert found["severity"] == "note"
        assert "fuse.sshfs" in host.run(["sh", "-c", found["command"]]).stdout
    assert "saves-on-network" not in checks(host)


def test_a_ledger_on_the_network(host: Host) -> None:
    with service_off(host), on_network(host, STATE):
        found = doctor.found(host, "ledger-on-network")
        assert found["severity"] == "warning"
        assert "fuse.sshfs" in host.run(["sh", "-c", found["command"]]).stdout
    assert "ledger-on-network" not in checks(host)


def test_a_second_copy_in_memory(host: Host) -> None:
    host.run("mount -t tmpfs tmpfs /var/cache/guestctl")
    assert doctor.found(host, "second-copy")["severity"] == "note"
    host.run("umount /var/cache/guestctl")
    assert "second-copy" not in checks(host)


def test_logind_that_does_not_answer(host: Host) -> None:
    host.run(f"systemctl mask --runtime {LOGIND}; systemctl stop {LOGIND}")
    host.run(["systemctl", "restart", UNIT])
    found = doctor.found(host, "logind-not-heard")
    assert found["severity"] == "error"
    assert "masked" in host.run(["sh", "-c", found["command"]], check=False).stdout
    host.run(f"systemctl unmask --runtime {LOGIND}; systemctl start {LOGIND}")
    wait_watching(host)
    assert "logind-not-heard" not in checks(host)


def test_a_ledger_that_cannot_be_read(host: Host) -> None:
    """A folder in its place is all that root cannot read."""
    with service_off(host):
        host.run(f"mv {LEDGER} {LEDGER}.away; mkdir {LEDGER}")
    found = doctor.found(host, "ledger-unreadable")
    assert found["severity"] == "error"
    said = host.run(["sh", "-c", found["command"]]).stdout
    assert f"cannot use the ledger {LEDGER}: unable to open database file" in said
    with service_off(host):
        host.run(f"rmdir {LEDGER}; mv {LEDGER}.away {LEDGER}")
    assert "ledger-unreadable" not in checks(host)


def test_a_ledger_that_was_damaged(host: Host) -> None:
    with service_off(host):
        host.run(f"dd if=/dev/zero of={LEDGER} bs=4096 seek=1 count=1 conv=notrunc")
    found = doctor.found(host, "ledger-damaged")
    assert found["severity"] == "warning"
    assert "guest" in host.run("guestctl list").stdout
    gone_after_its_command(host, "ledger-damaged")
