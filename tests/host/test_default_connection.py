"""`uris = ["default"]` is the connection that root's virsh takes, and stays that one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.conftest import NewHost
from tests.host.service import configured, status
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CONF = Path("etc/libvirt/libvirt.conf")
URIS = 'uris = ["default"]\n'
#: Added to the file; and what it means then.
LINES = {"": "qemu:///system", 'uri_default = "test:///default"': "test:///default"}


def connections(host: Host) -> set[str]:
    """Those that the service looks after."""
    return set(status(host)["service"].get("connections", {}))


def wait_for(host: Host, uri: str) -> None:
    """Until it looks after this one alone."""
    wait_until(lambda: connections(host) == {uri}, 30, f"{uri} alone")


def of_virsh(host: Host) -> str:
    return str(host.run(["virsh", "uri"]).stdout.strip())


def test_the_default_is_what_virsh_takes_and_another_is_taken_up(
    new_host: NewHost, suite: str
) -> None:
    host = new_host(suite)
    host.boot()
    host.create_paused(GuestSpec("here", memory_mib=32))
    written = (host.root / CONF).read_text()
    with configured(host, URIS):
        for line, uri in LINES.items():
            (host.root / CONF).write_text(f"{written}\n{line}\n")
            found = of_virsh(host)
            assert found == uri
            wait_for(host, found)
            shown = host.run(["guestctl", "check", "--show"]).stdout
            assert f"the default connection is {found}" in shown
            assert f"the default connection is {found}" in host.run(["guestctl", "check"]).stdout
        (host.root / CONF).write_text("uri_default = \x01\n")
        wait_for(host, "qemu:///system")
    (host.root / CONF).write_text(written)
    assert "here" in host.run(["guestctl", "list"]).stdout
