"""Which guests with a network are ready when, at a boot of the host: by lease, ARP, agent and port.

The service asks from its sandbox: libvirt for addresses, guestctl-probe.service for ports.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import pytest

from tests.host.cases import PRESS
from tests.host.conftest import NewHost, install_debs
from tests.host.service import wait_watching
from tests.host.support import (
    all_lived_on,
    began,
    listed,
    look,
    newest_run,
    trail,
    wait_restored,
)
from tests.testbed.guests import Card, GuestSpec
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

LAB, ROUTER = "lab", "198.51.100.1"
NETWORK = f"""
<network>
  <name>{LAB}</name>
  <bridge name="lab0"/>
  <ip address="{ROUTER}" netmask="255.255.255.0">
    <dhcp><range start="198.51.100.100" end="198.51.100.199"/></dhcp>
  </ip>
  <ip family="ipv6" address="2001:db8::1" prefix="64"/>
</network>
"""
PORT = "5432"
#: Seconds that a guest runs before it listens.
SOON = 8

LEASED, FIXED, SEVERAL, SIX, MUTE = "leased", "fixed", "several", "six", "mute"
APP, CLIENT, TOLD = "app", "client", "told"
#: With libvirt 9.0 ARP cannot be read under newer kernels ("wrong nlmsg len", seen with 6.18).
NO_ARP = ("bookworm",)
SPECS = [
    GuestSpec(LEASED, card=Card(LAB, port=PORT, listens_after=SOON)),
    # Nobody tells of it but what it sends.
    GuestSpec(FIXED, card=Card(LAB, ("198.51.100.30/24",), talks_to=ROUTER, port=PORT)),
    # To the first nothing leads, the second refuses, the third accepts.
    GuestSpec(
        SEVERAL,
        agent=True,
        card=Card(
            LAB,
            ("203.0.113.9/24", "198.51.100.40/24", "198.51.100.41/24"),
            port=f"198.51.100.41:{PORT}",
        ),
    ),
    GuestSpec(SIX, agent=True, card=Card(LAB, ("2001:db8::60/64",), port=PORT)),
    GuestSpec(MUTE, button="listen", card=Card(LAB, port=PORT, listens_after=None)),
    GuestSpec(APP),
    GuestSpec(CLIENT),
    GuestSpec(TOLD),
]


def settings(match: str, *lines: str) -> str:
    """A [[guest]] table."""
    return "\n".join(["[[guest]]", f'match = "{match}"', *lines, ""])


CONFIG = "".join(
    [
        settings("*", 'ready-timeout = "3min"'),
        *(
            settings(name, f'ready = ["address", "tcp:{PORT}"]')
            for name in (LEASED, FIXED, SEVERAL, SIX, MUTE)
        ),
        settings(LEASED, 'save = "none"'),
        settings(MUTE, 'ready-timeout = "15s"'),
        settings(APP, f'requires = ["{LEASED}"]'),
        settings(CLIENT, f'requires = ["{MUTE}"]'),
        settings(TOLD, f'after = ["{MUTE}"]'),
    ]
)


def test_guests_with_a_network_at_a_boot(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    if suite == "bookworm":
        install_debs(host, "dnsmasq-base")
    specs = {spec.name: spec for spec in SPECS}
    if suite in NO_ARP:
        del specs[FIXED]
    (host.root / "etc/guestctl/conf.d/test.toml").write_text(CONFIG)
    host.boot()
    give_network(host)
    host.start_all([*specs.values()])
    wait_watching(host)
    before = look(host, specs)
    leave_by(host, POWEROFF)
    host.boot()
    wait_restored(host)
    back = newest_run(host, trigger="boot")["guests"]
    assert {name: guest["outcome"] for name, guest in back.items()} == outcomes_of(specs)
    assert_waited_for(host, specs)
    assert_unready(host)
    PRESS(host, MUTE)
    wait_until(lambda: host.state(CLIENT) == "running", 60, "start of a guest that waited")
    assert trail(host, MUTE)[-1] == "ready now"
    assert listed(host)[MUTE]["unready"] is None
    assert all_lived_on(host, {CLIENT: before.ticks[CLIENT]})


def outcomes_of(names: Iterable[str]) -> dict[str, str]:
    """How each comes back at the boot."""
    return dict.fromkeys(names, "resumed") | {LEASED: "started", CLIENT: "skipped"}


def give_network(host: Host) -> None:
    """One of libvirt's, there at each boot."""
    file = host.path("/var/tmp/network.xml")
    file.write_text(NETWORK)
    host.virsh("net-define", "/var/tmp/network.xml")
    host.virsh("net-autostart", LAB)
    host.virsh("net-start", LAB)


def assert_waited_for(host: Host, names: Collection[str]) -> None:
    """Whatever tells of the address; who comes after one that refused at first came after that."""
    for name in {LEASED, FIXED, SEVERAL, SIX} & set(names):
        assert any(line.startswith("ready after ") for line in trail(host, name)), name
    assert began(host, APP) >= began(host, LEASED) + SOON - 1
    probe = host.run(["systemctl", "is-active", "guestctl-probe.service"], check=False)
    assert probe.stdout.strip() == "active"


def assert_unready(host: Host) -> None:
    """Up, and said to be unready wherever somebody looks; who comes after it does."""
    why = listed(host)[MUTE]["unready"]
    assert re.fullmatch(rf"tcp:{PORT}: 198\.51\.100\.1\d\d: Connection refused", why)
    unready = [line for line in trail(host, MUTE) if line.startswith("not ready after ")]
    assert [line.partition(": ")[2] for line in unready] == [why]
    assert f"goes on without {MUTE}, not ready yet" in trail(host, TOLD)
    said = host.run(["guestctl", "status"], check=False)
    assert said.returncode == 1
    assert MUTE in said.stdout
