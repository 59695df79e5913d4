"""What the doctor finds of guests, what they need, and their storage: each provoked on a real host,
and gone after what it says was done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host import doctor
from tests.host.doctor import checks, comes, gone_after_its_command, written
from tests.host.service import UNIT, wait_watching
from tests.host.stage import FEW
from tests.testbed.guests import Card, GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW
ONE = CAST.saved[0]
SAVES = "/var/lib/libvirt/qemu/save"
NETWORK = '<network><name>lab</name><bridge name="lab0"/></network>'
VOLUME = (
    "<disk type='volume' device='disk'><source pool='images' volume='a'/>"
    "<target dev='vdb' bus='virtio'/></disk>"
)


@contextlib.contextmanager
def in_memory(host: Host, folder: str, size: str) -> Iterator[None]:
    """Meanwhile the folder is on a tmpfs."""
    host.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder])
    try:
        yield
    finally:
        host.run(["umount", folder])


# What the next boot needs


def test_a_network_that_is_not_started_at_boot(host: Host) -> None:
    host.run(f"echo '{NETWORK}' > /run/lab.xml; virsh net-define /run/lab.xml")
    try:
        with comes(host, GuestSpec("carded", card=Card("lab"))):
            found = doctor.found(host, "network-at-boot")
            assert found["severity"] == "error"
            assert found["problem"].endswith("guests that come back need it: carded")
            gone_after_its_command(host, "network-at-boot")
            host.virsh("net-undefine", "lab")
            assert (
                "the network lab is not there" in doctor.found(host, "network-at-boot")["problem"]
            )
        assert "network-at-boot" not in checks(host)
    finally:
        host.run("virsh net-undefine lab", check=False)


def test_a_pool_that_is_not_started_at_boot(host: Host) -> None:
    host.run("mkdir -p /var/images; virsh pool-define-as images dir --target /var/images")
    host.run("virsh pool-start images; virsh vol-create-as images a 1M")
    try:
        with comes(host, GuestSpec("pooled")):
            host.run(f'echo "{VOLUME}" > /run/disk.xml')
            host.virsh("attach-device", "pooled", "/run/disk.xml", "--config")
            host.virsh("pool-destroy", "images")
            gone_after_its_command(host, "pool-at-boot")
    finally:
        host.virsh("pool-undefine", "images")


def test_a_bridge_that_is_not_there(host: Host) -> None:
    with comes(host, GuestSpec("bridged")):
        host.virsh(
            *["attach-interface", "bridged", "bridge", "br9", "--model", "virtio", "--config"]
        )
        found = doctor.found(host, "bridge-missing")
        assert found["problem"] == "cannot be started: the host has no network device br9"
        assert "br9" in host.run(["sh", "-c", found["command"]]).stdout
        host.run("ip link add br9 type bridge")
        assert "bridge-missing" not in checks(host)
    host.run("ip link delete br9")


def test_an_emulator_that_is_not_there_any_more(host: Host) -> None:
    host.run("ln -s /usr/bin/qemu-system-x86_64 /usr/local/bin/qemu-mine")
    try:
        with comes(host, GuestSpec("mine")):
            with_own = "s,</devices>,<emulator>/usr/local/bin/qemu-mine</emulator></devices>,"
            edit = f"grep -v '<emulator>' | sed '{with_own}'"
            host.run(f"virsh dumpxml mine | {edit} > /run/mine.xml; virsh define /run/mine.xml")
            assert "cannot-run" not in checks(host)
            host.run("rm /usr/local/bin/qemu-mine")
            found = doctor.found(host, "cannot-run")
            assert found["guest"]["name"] == "mine"
            assert "its emulator /usr/local/bin/qemu-mine is not there" in found["problem"]
            host.run("ln -s /usr/bin/qemu-system-x86_64 /usr/local/bin/qemu-mine")
            assert "cannot-run" not in checks(host)
    finally:
        host.run("rm -f /usr/local/bin/qemu-mine")


def test_a_machine_type_that_is_not_there_any_more(host: Host) -> None:
    with comes(host, GuestSpec("aged")):
        known = host.run("virsh dumpxml aged | grep -o \"machine='[^']*'\"").stdout.strip()
        host.run(f"sed -i \"s/{known}/machine='pc-i440fx-0.9'/\" /etc/libvirt/qemu/aged.xml")
        host.run("systemctl restart libvirtd")
        wait_watching(host)
        found = doctor.found(host, "cannot-run")
        assert (
            found["problem"] == "cannot be started: there is no machine type pc-i440fx-0.9 any more"
        )
        host.define(GuestSpec("aged"))
        assert "cannot-run" not in checks(host)


def test_a_disk_that_is_gone(host: Host) -> None:
    disk = Path("/var/lib/libvirt/images/gone.raw")
    host.run(["truncate", "--size=1M", str(disk)])
    with comes(host, GuestSpec("disked", disk=disk)):
        assert "disk-missing" not in checks(host)
        host.run(["rm", str(disk)])
        found = doctor.found(host, "disk-missing")
        assert found["problem"].endswith(f"is not there: {disk}")
        assert str(disk) in host.run(["sh", "-c", found["command"]]).stdout
        host.run(["truncate", "--size=1M", str(disk)])
        assert "disk-missing" not in checks(host)
    host.run(["rm", str(disk)])


# How guests are taken down


def test_an_agent_that_alone_is_asked(host: Host) -> None:
    with written(host, '[[guest]]\nmatch = "slow"\nmethods = ["agent"]\n'):
        found = doctor.found(host, "agent-alone")
        assert (found["severity"], found["guest"]["name"]) == ("error", "slow")
        assert found["evidence"] == ["its definition has no channel org.qemu.guest_agent.0"]
    assert "agent-alone" not in checks(host)


def test_an_agent_that_is_asked_when_a_save_fails_or_is_to_show_that_a_guest_is_ready(
    host: Host,
) -> None:
    settings = 'methods = ["agent"]\nready = ["agent"]\n'
    with written(host, f'[[guest]]\nmatch = "{ONE}"\n{settings}'):
        assert checks(host) >= {"agent-fallback", "agent-gate"}
    assert not checks(host) & {"agent-fallback", "agent-gate"}


def test_guests_that_cannot_be_saved(host: Host) -> None:
    spec = GuestSpec("shares")
    host.run("truncate --size=1M /var/lib/libvirt/images/shared.raw")
    share = "attach-disk shares /var/lib/libvirt/images/shared.raw vdb --mode shareable --config"
    with comes(host, spec):
        host.virsh(*share.split())
        host.start_again("shares")
        found = doctor.found(host, "not-saved")
        assert found["severity"] == "note"
        assert "it shares a disk with another guest" in found["problem"]
        nothing = 'match = "shares"\nshutdown = "none"\npoweroff = "none"\n'
        with written(host, f"[[guest]]\n{nothing}"):
            assert doctor.found(host, "no-way-down")["guest"]["name"] == "shares"
        assert "no-way-down" not in checks(host)
    assert "not-saved" not in checks(host)


def test_a_guest_without_a_definition(host: Host) -> None:
    host.create_transient(GuestSpec("passing"), wait=False)
    assert doctor.found(host, "transient")["problem"].endswith(": passing")
    host.virsh("destroy", "passing")
    assert "transient" not in checks(host)


def test_a_guest_of_another_manager(host: Host) -> None:
    with comes(host, GuestSpec("theirs")):
        uri = "http://ovirt.org/vm/1.0"
        host.virsh("metadata", "theirs", uri, "--key", "ovirt", "--set", "<vm/>", "--config")
        assert doctor.found(host, "others-guests")["problem"].startswith("oVirt starts these")
    assert "others-guests" not in checks(host)


def test_guests_that_wait_for_one_another(host: Host) -> None:
    one, two = CAST.saved[:2]
    circle = f'[[guest]]\nmatch = "{one}"\nafter = ["{two}"]\n'
    circle += f'[[guest]]\nmatch = "{two}"\nafter = ["{one}"]\n'
    with written(host, circle):
        assert "in a circle" in doctor.found(host, "order")["problem"]
    assert "order" not in checks(host)


# Folders


def test_saves_in_memory_that_has_no_room(host: Host) -> None:
    with in_memory(host, SAVES, "100M"):
        found = doctor.found(host, "saves-not-kept")
        assert found["severity"] == "error"
        assert found["evidence"] == [f"it is in memory: tmpfs mounted on {SAVES}"]
        assert "tmpfs" in host.run(["sh", "-c", found["command"]]).stdout
        without = [it for it in doctor.findings(host) if it["check"] == "no-room"]
        assert {it["guest"]["name"] for it in without} == set(CAST.saved)
    assert not checks(host) & {"saves-not-kept", "no-room"}


def test_a_ledger_in_memory_that_has_no_room(host: Host) -> None:
    host.run(["systemctl", "stop", UNIT])
    try:
        with in_memory(host, "/var/lib/guestctl", "1M"):
            assert checks(host) >= {"ledger-not-kept", "ledger-room"}
    finally:
        host.run(["systemctl", "start", UNIT])
        wait_watching(host)
    assert not checks(host) & {"ledger-not-kept", "ledger-room"}


def test_a_second_copy_that_cannot_be_read(host: Host) -> None:
    host.run("mkdir -p /var/cache/guestctl; echo nothing > /var/cache/guestctl/ledger-copy.db")
    assert doctor.found(host, "second-copy")["severity"] == "note"
    gone_after_its_command(host, "second-copy")
