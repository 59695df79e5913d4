"""The unit that connects to guests, on a real host: what it reaches, who may ask, what it costs."""

from __future__ import annotations

import re

import pytest

from tests.host.conftest import NewHost
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

#: An address that others than the host itself could have; nothing leads to it from outside.
ADDRESS, PORT, CLOSED = "198.18.0.1", 5432, 5433
#: What systemd-analyze may say of them at most, of ten.
MOST_EXPOSED = 2.5
ACCEPTS = (
    "import socket, time;"
    f"s = socket.create_server(('{ADDRESS}', {PORT}));"
    f"t = socket.create_server(('127.0.0.1', {PORT}));"
    "time.sleep(3600)"
)
ASKS = (
    "import asyncio, sys;"
    "from guestctl.host.probe import HostProbe;"
    "print(asyncio.run(HostProbe().connects(sys.argv[1], int(sys.argv[2]), 2.0)) or 'accepted')"
)
#: As far from the network as guestctl.service is.
SANDBOX = ("PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "ProtectSystem=strict")


def ask(host: Host, address: str, port: int, *properties: str) -> str:
    """What comes of a question from a unit with these properties."""
    options = [f"--property={each}" for each in properties]
    command = ["/usr/bin/python3", "-c", ASKS, address, str(port)]
    argv = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", *options, *command]
    return host.run(argv, check=False).stdout.strip()


def state(host: Host, unit: str) -> str:
    return host.run(["systemctl", "is-active", unit], check=False).stdout.strip()


def test_the_probe_reaches_guests_for_units_that_do_not(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    host.run(["ip", "link", "set", "lo", "up"])
    host.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"])
    host.run(["systemd-run", "--unit=accepts", "/usr/bin/python3", "-c", ACCEPTS])
    wait_until(lambda: state(host, "accepts") == "active", 10, "a port that accepts")
    assert state(host, "guestctl-probe.socket") == "active"
    assert state(host, "guestctl-probe.service") == "inactive"

    assert ask(host, ADDRESS, PORT, *SANDBOX) == "accepted"
    assert state(host, "guestctl-probe.service") == "active"
    assert ask(host, ADDRESS, CLOSED, *SANDBOX) == "Connection refused"
    assert ask(host, "127.0.0.1", PORT, *SANDBOX) == "cannot be asked: 127.0.0.1 is no guest's"
    assert_it_is_nobody(host)
    assert_only_root_may_ask(host)
    for unit in ("guestctl.service", "guestctl-probe.service"):
        assert exposure(host, unit) <= MOST_EXPOSED

    host.run(["systemctl", "stop", "guestctl-probe.socket", "guestctl-probe.service"])
    why = ask(host, ADDRESS, PORT, *SANDBOX)
    assert why.endswith("; guestctl-probe.socket cannot be used: No such file or directory")
    assert ask(host, ADDRESS, PORT) == "accepted"  # as a command in root's shell
    assert "guestctl-probe" not in host.run(["systemctl", "--failed", "--plain"]).stdout


def assert_it_is_nobody(host: Host) -> None:
    """Not root, without a capability, libvirt or the bus; with a network."""
    pid = host.run(["systemctl", "show", "--value", "-p", "MainPID", "guestctl-probe"]).stdout
    status = host.run(["cat", f"/proc/{pid.strip()}/status"]).stdout
    found = dict(re.findall(r"^(\w+):\s+(\S+)", status, re.MULTILINE))
    assert found["Uid"] != "0"
    assert {int(found[key], 16) for key in ("CapEff", "CapBnd", "CapAmb")} == {0}
    seen = host.run(["ls", f"/proc/{pid.strip()}/root/run"]).stdout.split()
    assert not {"libvirt", "dbus", "guestctl"} & set(seen)
    assert set(host.run(["ls", f"/proc/{pid.strip()}/root/var"]).stdout.split()) <= {"tmp"}


def assert_only_root_may_ask(host: Host) -> None:
    """Others try it from where they are."""
    nobody = ("setpriv", "--reuid=nobody", "--clear-groups", "--")
    argv = [*nobody, "/usr/bin/python3", "-c", ASKS, ADDRESS, str(CLOSED)]
    why = host.run(argv).stdout.strip()
    assert why.endswith("; guestctl-probe.socket cannot be used: Permission denied")


def exposure(host: Host, unit: str) -> float:
    """By systemd-analyze security, of ten."""
    said = host.run(["systemd-analyze", "security", "--no-pager", unit]).stdout
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", said)
    assert found
    return float(found[1])
