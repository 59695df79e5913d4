"""The doctor's checks of what the next boot needs of the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from guestctl.decisions import checks_boot
from guestctl.decisions.doctor import examine
from guestctl.decisions.host_state import HostState
from guestctl.host.libvirt.needs import read_emulators, read_needs
from guestctl.model.finding import Finding
from guestctl.model.guest import GuestFacts
from guestctl.model.host_details import HostRunning
from guestctl.model.host_guests import GuestsInFull
from guestctl.model.host_needs import (
    Emulator,
    GuestNeeds,
    HostNeeds,
    Supplied,
    Supplies,
    Supply,
)
from guestctl.model.host_state import NotKnown
from tests.unit.healthy import facts, healthy
from tests.unit.makers import URI, guest, guest_id, off, recorded

QEMU = "/usr/bin/qemu-system-x86_64"
X86 = Emulator("x86_64", QEMU, frozenset({"q35", "pc-q35-10.0"}), frozenset({"qemu", "kvm"}))
NEEDS = GuestNeeds(("default",), ("images",), (), QEMU, "x86_64", "pc-q35-10.0", "kvm")
AT_BOOT = Supply("default", is_active=True, at_boot=True)
POOL = Supply("images", is_active=True, at_boot=True)


def host(
    needs: GuestNeeds = NEEDS,
    web: GuestFacts | None = None,
    networks: Supplied = (AT_BOOT,),
    pools: Supplied = (POOL,),
    emulators: Iterable[Emulator] = (X86,),
    **more: Any,
) -> HostState:
    """With one guest, that runs unless told otherwise, and is wanted on."""
    web = web or guest()
    supplies = {URI: Supplies(networks, pools, tuple(emulators))}
    needed = HostNeeds({web.id: needs}, supplies, **more)
    return healthy(facts=facts((web,), (recorded(),)), needs=needed)


def found(state: HostState) -> list[Finding]:
    return examine(state, checks=checks_boot.CHECKS)


def test_nothing_where_all_is_there() -> None:
    assert found(host()) == []


@pytest.mark.parametrize(
    ("differs", "check", "text", "command"),
    [
        (
            {"networks": (replace(AT_BOOT, at_boot=False),)},
            "network-at-boot",
            "the network default is not started at boot, and guests that come back need it: web",
            f"virsh -c {URI} net-autostart default",
        ),
        (
            {"networks": ()},
            "network-at-boot",
            "the network default is not there, and guests that come back need it: web",
            f"virsh -c {URI} net-list --all",
        ),
        (
            {"pools": (Supply("images", is_active=False, at_boot=False),)},
            "pool-at-boot",
            "the storage pool images is not started at boot, and guests that come back need it:"
            " web",
            f"virsh -c {URI} pool-autostart images",
        ),
        (
            {"emulators": [replace(X86, machines=frozenset({"q35"}))]},
            "cannot-run",
            "cannot be started: there is no machine type pc-q35-10.0 any more",
            f"virsh -c {URI} edit web",
        ),
        (
            {"emulators": [replace(X86, accelerators=frozenset({"qemu"}))]},
            "cannot-run",
            "cannot be started: this host cannot run it with KVM",
            f"virsh -c {URI} edit web",
        ),
        (
            {"absent": frozenset({QEMU})},
            "cannot-run",
            f"cannot be started: its emulator {QEMU} is not there",
            f"virsh -c {URI} edit web",
        ),
    ],
)
def test_what_is_missing_is_named(differs: Any, check: str, text: str, command: str) -> None:
    (finding,) = found(host(**differs))
    assert (finding.check, finding.text, finding.command) == (check, text, command)
    assert finding.evidence


def test_the_need_of_guests_that_stay_off_is_nobodys() -> None:
    lacking = host(networks=(), pools=()).needs
    flagged, stays = off(autostart=True), off()
    assert found(healthy(facts=facts((flagged,)), needs=lacking)) != []
    assert found(healthy(facts=facts((stays,)), needs=lacking)) == []


def test_a_network_that_is_not_active_and_starts_at_boot_is_well() -> None:
    assert found(host(networks=(replace(AT_BOOT, is_active=False),))) == []


def test_guests_of_one_network_are_named_together() -> None:
    guests = tuple(guest(f"g{number:02}", number) for number in range(1, 12))
    records = tuple(recorded(number, f"g{number:02}") for number in range(1, 12))
    needs = HostNeeds({it.id: NEEDS for it in guests}, {URI: Supplies((), (POOL,), (X86,))})
    (finding,) = found(healthy(facts=facts(guests, records), needs=needs))
    assert finding.text.endswith("need it: g01, g02, g03, g04, g05, g06, g07, g08, 3 more")


def test_an_emulator_of_another_path_is_told_by_its_architecture() -> None:
    assert found(host(replace(NEEDS, emulator="/usr/bin/kvm"))) == []
    (finding,) = found(host(replace(NEEDS, emulator="/usr/bin/kvm", machine="pc-1.0")))
    assert "no machine type pc-1.0" in finding.text


def test_what_is_not_known_is_no_pass() -> None:
    unknown = NotKnown("networks of it", "no answer")
    assert [it.check for it in found(host(networks=unknown))] == ["not-known"]
    blind = healthy(facts=replace(facts((guest(),)), sees_all=False))
    assert [it.check for it in found(blind)] == ["not-known"]


def test_disks_that_are_not_there() -> None:
    paths = ("/var/a.qcow2", "/var/nvram.fd")
    state = replace(
        host(replace(NEEDS, made_anew=("/var/nvram.fd",))),
        guests=GuestsInFull({guest_id(): paths}),
    )
    (finding,) = found(state)
    assert finding.check == "disk-missing"
    assert finding.text == "cannot be started: what it needs is not there: /var/a.qcow2"
    assert finding.name == "web"


def test_bridges_that_are_not_there() -> None:
    state = host(replace(NEEDS, devices=("br0", "br1")))
    assert found(state) == []
    state = replace(state, running=HostRunning(devices=frozenset({"lo", "br1"})))
    (finding,) = found(state)
    assert finding.check == "bridge-missing"
    assert finding.text == "cannot be started: the host has no network device br0"
    assert finding.command == f"virsh -c {URI} domiflist --inactive web"


XML = """
<domain type='kvm'>
  <os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type><nvram>/var/nvram.fd</nvram></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='volume' device='disk'><source pool='images' volume='a'/></disk>
    <disk type='file' device='disk'><source file='/var/b'/></disk>
    <interface type='network'><source network='default'/></interface>
    <interface type='network'><source network='default'/></interface>
    <interface type='bridge'><source bridge='br0'/></interface>
    <interface type='direct'><source dev='eth0'/></interface>
    <interface type='bridge'><source bridge='ovs'/><virtualport type='openvswitch'/></interface>
    <interface type='user'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices>
</domain>
"""


def test_needs_are_read_from_a_definition() -> None:
    with_channel = replace(NEEDS, devices=("br0", "eth0"), has_agent_channel=True)
    whole = replace(with_channel, made_anew=("/var/nvram.fd",))
    assert read_needs(XML) == whole
    assert read_needs("<domain/>") == GuestNeeds()


def test_emulators_are_read_from_capabilities() -> None:
    xml = f"""
    <capabilities><guest><arch name='x86_64'>
      <emulator>{QEMU}</emulator>
      <machine canonical='pc-q35-10.0'>q35</machine>
      <domain type='qemu'/><domain type='kvm'/>
    </arch></guest></capabilities>
    """
    (emulator,) = read_emulators(xml)
    assert emulator.machines >= X86.machines
    assert replace(emulator, machines=X86.machines) == X86
