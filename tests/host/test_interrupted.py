"""Ctrl-C during compressing saves: nothing is left of them."""

from __future__ import annotations

import pytest

from tests.host.conftest import NewHost
from tests.host.support import (
    NO_BUS,
    all_lived_on,
    image,
    listed,
    newest_ticks,
    wait_restored,
    wait_saving,
)
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

NAMES = ("one", "two", "three")
#: Takes seconds for the memory that the guests fill.
COMPRESSING = '\nsave_image_format = "gzip"\n'
PID = "/run/interrupted.pid"


def test_interrupted_saves_leave_no_images(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    with (host.root / "etc/libvirt/qemu.conf").open("a") as conf:
        conf.write(COMPRESSING)
    host.boot()
    wait_restored(host)
    host.start_all([GuestSpec(name, dirty_mib=128) for name in NAMES])
    before = newest_ticks(host, NAMES)

    # A run of the service's does not end with who began it.
    child = host.popen(f"echo $$ >{PID}; exec env {NO_BUS} guestctl shutdown --preserve")
    wait_saving(host, NAMES)
    host.run(f"kill -INT $(cat {PID})")
    assert child.wait(60) == 1

    assert states(host) == {("running", False)}
    assert not [name for name in NAMES if image(host, name).exists()]
    assert all_lived_on(host, before)


def states(host: Host) -> set[tuple[str, bool]]:
    """Of the guests: what they do, and whether there is a save."""
    return {(row["state"], row["saved"]) for row in listed(host).values()}
