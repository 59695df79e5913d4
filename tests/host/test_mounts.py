"""The folder of saves is on a mount that systemd would take away while guests are saved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host.stage import FEW
from tests.host.support import assert_back, look, outcomes, wait_restored
from tests.testbed.host import Host
from tests.testbed.triggers import TARGET, leave_by
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
FOLDER, SOURCE = "/var/lib/libvirt/qemu/save", "/var/lib/late-saves"
UNIT = "var-lib-libvirt-qemu-save.mount"
#: Bytes a second, for saves that take some seconds.
UNHURRIED = 16_000_000


@pytest.fixture
def nofail(host: Host) -> Iterator[Host]:
    """The host with such a mount: it is not ordered before local-fs.target."""
    fstab = host.root / "etc/fstab"
    before = fstab.read_text() if fstab.exists() else None
    fstab.write_text(f"{before or ''}\n{SOURCE} {FOLDER} none bind,nofail 0 0\n")
    host.run(f"mkdir -p {SOURCE} && chown --reference={FOLDER} {SOURCE} && chmod 700 {SOURCE}")
    host.run(f"systemctl daemon-reload && systemctl start {UNIT}")
    yield host
    fstab.write_text(before or "")
    if host.is_on:
        # The service would miss the mount for up to a minute, and have nobody saved.
        host.run(f"systemctl stop {UNIT}; systemctl daemon-reload", check=False)
        host.run(["systemctl", "restart", "guestctl.service"])


def test_it_stays_until_they_are_saved(nofail: Host) -> None:
    host = nofail
    wait_until(lambda: is_kept(host), 120, "unit that keeps the mount")
    before = look(host, CAST.names)
    host.slow_saves(UNHURRIED)
    leave_by(host, TARGET)
    saves = {path.name for path in (host.root / SOURCE.lstrip("/")).iterdir()}
    assert saves == {f"{name}.save" for name in CAST.saved}
    assert list((host.root / FOLDER.lstrip("/")).iterdir()) == []
    host.slow_saves(0)
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)


def is_kept(host: Host) -> bool:
    """Whether the service knows of the mount."""
    shown = host.run(["systemctl", "show", "-p", "After", "guestctl-mounts-*.service"]).stdout
    return UNIT in shown
