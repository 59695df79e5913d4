"""What a guest's XML says, and that no XML is an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.libvirt.domain_xml import parsed, read_domain_info, runs_a_system
from guestctl.model.guest import Disk, DiskKind

FILE, BLOCK, OTHER = DiskKind.FILE, DiskKind.BLOCK, DiskKind.OTHER


def domain(inside: str) -> str:
    """The XML of a guest."""
    return f"<domain type='kvm'><name>web</name>{inside}</domain>"


def disks_of(inside: str) -> tuple[Disk, ...] | None:
    """The disks that the XML names."""
    return read_domain_info(domain(inside)).disks


# What rules a save out

UNSAVABLE = [
    ("<devices><hostdev mode='subsystem' type='pci'/></devices>", "host device"),
    ("<devices><interface type='hostdev'/></devices>", "host device"),
    ("<devices><filesystem><driver type='virtiofs'/></filesystem></devices>", "virtiofs"),
    ("<cpu><feature policy='require' name='invtsc'/></cpu>", "invtsc"),
    ("<cpu><feature policy='force' name='invtsc'/></cpu>", "invtsc"),
    ("<cpu mode='host-passthrough' migratable='off'/>", "migratable off"),
    ("<devices><disk><source file='/a'/><shareable/></disk></devices>", "shares a disk"),
]


@pytest.mark.parametrize(("inside", "reason"), UNSAVABLE)
def test_what_rules_a_save_out(inside: str, reason: str) -> None:
    (found,) = read_domain_info(domain(inside)).unsavable
    assert reason in found


def test_a_container_is_not_saved() -> None:
    (found,) = read_domain_info("<domain type='lxc'><name>web</name></domain>").unsavable
    assert "container" in found


@pytest.mark.parametrize(
    ("init", "whole"),
    [
        ("/sbin/init", True),
        ("/lib/systemd/systemd", True),
        ("/usr/bin/dumb-init", False),
        ("/bin/sh", False),
    ],
)
def test_a_container_of_a_whole_system_is_told_by_its_init(init: str, whole: bool) -> None:
    assert runs_a_system(domain(f"<os><init>{init}</init></os>")) is whole
    assert not runs_a_system(domain(""))


SAVABLE = [
    "",
    "<cpu mode='host-passthrough' migratable='on'/>",
    "<cpu><feature policy='disable' name='invtsc'/></cpu>",
    "<cpu><feature policy='require' name='vmx'/></cpu>",
    "<devices><interface type='network'/></devices>",
    "<devices><filesystem><driver type='path'/></filesystem></devices>",
    "<devices><disk><readonly/></disk></devices>",
    "<metadata><x:hostdev xmlns:x='http://x'/></metadata>",
]


@pytest.mark.parametrize("inside", SAVABLE)
def test_what_does_not(inside: str) -> None:
    assert read_domain_info(domain(inside)).unsavable == ()


def test_every_reason_is_given() -> None:
    inside = "<cpu migratable='off'/><devices><hostdev/><disk><shareable/></disk></devices>"
    assert len(read_domain_info(domain(inside)).unsavable) == 3


# Managers

NOVA = "http://openstack.org/xmlns/libvirt/nova/"
MANAGERS = [
    (f"<n:instance xmlns:n='{NOVA}1.0'/>", "OpenStack Nova"),
    (f"<n:instance xmlns:n='{NOVA}1.1'/>", "OpenStack Nova"),
    ("<o:vm xmlns:o='http://ovirt.org/vm/1.0'/>", "oVirt"),
    ("<o:qos xmlns:o='http://ovirt.org/vm/tune/1.0'/>", "oVirt"),
    ("<k:kubevirt xmlns:k='http://kubevirt.io'/>", "KubeVirt"),
    ("<x:a xmlns:x='http://x'/><k:kubevirt xmlns:k='http://kubevirt.io'/>", "KubeVirt"),
    ("", None),
    ("text<!-- http://kubevirt.io --><vm/>", None),
    ("<x:a xmlns:x='http://kubevirt.io.example'/>", None),
    ("<l:libosinfo xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'/>", None),
]


@pytest.mark.parametrize(("inside", "manager"), MANAGERS)
def test_managers(inside: str, manager: str | None) -> None:
    assert read_domain_info(domain(f"<metadata>{inside}</metadata>")).manager == manager


def test_a_namespace_elsewhere_is_no_manager() -> None:
    assert read_domain_info(domain("<k:x xmlns:k='http://kubevirt.io'/>")).manager is None


# Disks

DISKS = [
    ("<disk type='file'><source file='/a'/></disk>", [(FILE, "/a")]),
    ("<disk><source file='/a'/></disk>", [(FILE, "/a")]),
    ("<disk type='block'><source dev='/dev/x'/></disk>", [(BLOCK, "/dev/x")]),
    (
        "<disk type='network'><source protocol='rbd' name='p/x'/></disk>",
        [(OTHER, "network rbd p/x")],
    ),
    ("<disk type='volume'><source pool='p' volume='v'/></disk>", [(OTHER, "volume  v")]),
    # What it only reads; libvirt does without what is optional.
    ("<disk device='cdrom'><source file='/a'/></disk>", [(FILE, "/a", True)]),
    ("<disk device='floppy'><source file='/a'/></disk>", [(FILE, "/a", True)]),
    ("<disk><source file='/a'/><readonly/></disk>", [(FILE, "/a", True)]),
    (
        "<disk device='cdrom'><source file='/a' startupPolicy='mandatory'/></disk>",
        [(FILE, "/a", True)],
    ),
    ("<disk device='cdrom'><source file='/a' startupPolicy='optional'/></disk>", []),
    ("<disk device='cdrom'><source file='/a' startupPolicy='requisite'/></disk>", []),
    ("<disk><source file='/a' startupPolicy='optional'/></disk>", [(FILE, "/a")]),
    # A drive without a medium.
    ("<disk type='file' device='cdrom'><target dev='sda'/></disk>", []),
    ("<disk type='file' device='cdrom'><source/></disk>", []),
    # The same file twice is one file.
    ("<disk><source file='/a'/></disk><disk><source file='/a'/></disk>", [(FILE, "/a")]),
]


@pytest.mark.parametrize(("inside", "expected"), DISKS)
def test_disks(inside: str, expected: list[tuple[Any, ...]]) -> None:
    assert disks_of(f"<devices>{inside}</devices>") == tuple(Disk(*row) for row in expected)


@pytest.mark.parametrize(
    ("path", "disk"),
    [
        ("/pool/v", Disk(FILE, "/pool/v")),
        ("/dev/vg/v", Disk(FILE, "/dev/vg/v")),
        ("rbd/v", Disk(OTHER, "volume  v")),
        (None, Disk(OTHER, "volume  v")),
    ],
)
def test_a_volume_is_what_its_pool_says(path: str | None, disk: Disk) -> None:
    xml = "<disk type='volume'><source pool='p' volume='v'/></disk>"
    asked = []

    def volumes(*names: str) -> str | None:
        asked.append(names)
        return path

    found = read_domain_info(domain(f"<devices>{xml}</devices>"), volumes=volumes)
    assert found.disks == (disk,)
    assert asked == [("p", "v")]


def test_a_chain_of_backing_files() -> None:
    chain = (
        "<devices><disk type='file'><source file='/top'/>"
        "<backingStore type='file'><format type='qcow2'/><source file='/middle'/>"
        "<backingStore type='block'><source dev='/dev/base'/><backingStore/></backingStore>"
        "</backingStore></disk></devices>"
    )
    assert disks_of(chain) == (Disk(FILE, "/top"), Disk(FILE, "/middle"), Disk(BLOCK, "/dev/base"))


@given(st.integers(0, 300))
def test_a_chain_of_any_length(length: int) -> None:
    layers = "".join(f"<backingStore type='file'><source file='/{n}'/>" for n in range(length))
    inside = f"<devices><disk>{layers}{'</backingStore>' * length}</disk></devices>"
    assert disks_of(inside) == tuple(Disk(FILE, f"/{n}") for n in range(length))


NVRAM = [
    ("<nvram>/old.fd</nvram>", [(FILE, "/old.fd")]),
    ("<nvram template='/t'> /old.fd\n</nvram>", [(FILE, "/old.fd")]),
    ("<nvram type='file'><source file='/new.fd'/></nvram>", [(FILE, "/new.fd")]),
    ("<nvram><source file='/new.fd'/></nvram>", [(FILE, "/new.fd")]),
    ("<nvram type='block'><source dev='/dev/n'/></nvram>", [(BLOCK, "/dev/n")]),
    ("<nvram/>", []),
    ("<nvram template='/t'/>", []),
]


@pytest.mark.parametrize(("inside", "expected"), NVRAM)
def test_nvram(inside: str, expected: list[tuple[DiskKind, str]]) -> None:
    assert disks_of(f"<os>{inside}</os>") == tuple(Disk(*row) for row in expected)


def test_what_qemu_opens_at_a_start_is_only_read() -> None:
    inside = "<loader type='pflash'>/fw.fd</loader><kernel> /k\n</kernel><initrd>/i</initrd>"
    found = disks_of(f"<os>{inside}<dtb>/d</dtb><cmdline>/c</cmdline></os>")
    assert found == tuple(Disk(FILE, path, read_only=True) for path in ("/fw.fd", "/k", "/i", "/d"))
    assert disks_of("<os><loader>bios.bin</loader><kernel/></os>") == ()


def test_a_guest_without_disks_is_not_one_that_cannot_be_read() -> None:
    assert disks_of("") == ()


# The digest


def test_the_digest_is_of_the_definition_where_there_is_one() -> None:
    running, defined = domain("<a/>"), domain("<b/>")
    assert read_domain_info(running, defined).digest == read_domain_info(defined).digest
    assert read_domain_info(running).digest != read_domain_info(defined).digest
    assert len(read_domain_info(running).digest) == 16


def test_the_data_file_of_a_disk_is_one_of_its_disks() -> None:
    store = "<dataStore type='file'><format type='raw'/><source file='/d.raw'/></dataStore>"
    disk = f"<disk type='file'><source file='/a.qcow2'/>{store}</disk>"
    info = read_domain_info(f"<domain><devices>{disk}</devices></domain>")
    names = [disk.name for disk in info.disks or ()]
    assert names == ["/a.qcow2", "/d.raw"]


def channel(name: str, state: str) -> str:
    target = f"<target type='virtio' name='{name}' state='{state}'/>"
    return domain(f"<devices><channel type='unix'>{target}</channel></devices>")


def test_whether_an_agent_listens() -> None:
    assert read_domain_info(channel("org.qemu.guest_agent.0", "connected")).has_agent
    assert not read_domain_info(channel("org.qemu.guest_agent.0", "disconnected")).has_agent
    assert not read_domain_info(channel("com.redhat.spice.0", "connected")).has_agent
    assert not read_domain_info(domain("")).has_agent


def test_of_megabytes_of_metadata_no_tree_is_made() -> None:
    """Of 10 MB the interpreter's lock was held for 0.1 s and more, in which no other task ran."""
    nova = "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'>{}</n:instance>"
    much = "<n:a b='c'>d</n:a>" * 50_000
    other = f"<o:other xmlns:o='urn:o'>{much.replace('n:', 'o:')}</o:other>"
    xml = domain(f"<metadata>{other}{nova.format(much)}{other}</metadata><devices/>")
    assert read_domain_info(xml).manager == "OpenStack Nova"
    assert len(list(parsed(xml).iter())) < 10


def test_whether_it_starts_anew_when_it_powers_off() -> None:
    assert read_domain_info("<domain><on_poweroff>restart</on_poweroff></domain>").restarts
    assert not read_domain_info("<domain><on_poweroff>destroy</on_poweroff></domain>").restarts
    assert not read_domain_info("<domain/>").restarts
