"""What a guest's XML says that matters for saving and starting it.  Pure."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

from ...model.guest import Disk, DiskKind, DomainInfo
from .policy_xml import is_policys, read_policy

#: Metadata that other managers leave in their guests, by XML namespace.
_MANAGERS = {
    "http://openstack.org/xmlns/libvirt/nova/1.0": "OpenStack Nova",
    "http://openstack.org/xmlns/libvirt/nova/1.1": "OpenStack Nova",
    "http://ovirt.org/vm/1.0": "oVirt",
    "http://ovirt.org/vm/tune/1.0": "oVirt",
    "http://kubevirt.io": "KubeVirt",
}
_NONE = ET.Element("none")
#: Characters that are parsed at once.
_PIECE = 1 << 16
#: The channel that libvirt talks to a guest agent on.
AGENT = "org.qemu.guest_agent.0"


#: The path of a volume, by the names of its pool and its own; None where that is not known.
Volumes = Callable[[str, str], str | None]
_VOLUME = "volume"


def no_volumes(_pool: str, _name: str) -> None:
    """Nothing is known of volumes."""


def has_volumes(info: DomainInfo) -> bool:
    """Whether there are volumes of which the path is not known."""
    disks = info.disks or ()
    return any(disk.kind is DiskKind.OTHER and disk.name.startswith(_VOLUME) for disk in disks)


def read_domain_info(xml: str, definition: str = "", volumes: Volumes = no_volumes) -> DomainInfo:
    """What the XML of a guest says; where it cannot be read, that speaks against a save.

    definition: the XML that it will be started with next, the same from boot to boot.
    """
    try:
        domain = parsed(xml)
    except (ET.ParseError, ValueError) as error:
        return DomainInfo(unsavable=(f"its XML cannot be read: {error}",))
    info = DomainInfo(
        unsavable=tuple(_unsavable(domain)),
        manager=_manager(domain),
        disks=tuple(_disks(domain, volumes)),
        has_agent=any(map(_is_connected_agent, domain.iterfind("devices/channel/target"))),
        restarts=domain.findtext("on_poweroff", "destroy") != "destroy",
    )
    try:
        return _with_definition(info, parsed(definition) if definition else domain)
    except (ET.ParseError, ValueError) as error:
        fault = f"its definition cannot be read: {error}"
        return replace(info, digest=_digest(definition), policy_faults=(fault,))


def _with_definition(info: DomainInfo, defined: ET.Element) -> DomainInfo:
    """The digest is of all but the metadata, which a save is not refused for."""
    policy, faults = read_policy(defined)
    rest = (ET.tostring(child, "unicode") for child in defined if child.tag != "metadata")
    digest = _digest("".join([repr(defined.attrib), *rest]))
    return replace(info, policy=policy, policy_faults=faults, digest=digest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


class _Builder(ET.TreeBuilder):
    """Makes the tree without metadata, but for the elements by which managers are told, and ours.

    It may be megabytes, and nothing else in a guest's XML has so many elements.
    """

    def __init__(self) -> None:
        super().__init__()
        self._path: list[str] = []

    @property
    def _is_left_out(self) -> bool:
        if len(self._path) < 3 or self._path[1] != "metadata":
            return False
        if is_policys(self._path[2]):
            return len(self._path) > 5
        return len(self._path) > 3 or _namespace(self._path[2]) not in _MANAGERS

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._path.append(tag)
        return _NONE if self._is_left_out else super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        is_left_out = self._is_left_out
        self._path.pop()
        return _NONE if is_left_out else super().end(tag)

    def data(self, text: str, /) -> None:
        if not self._is_left_out:
            super().data(text)


def parsed(xml: str) -> ET.Element:
    """The tree, in pieces: expat has the interpreter to itself for as long as a piece takes it."""
    parser = ET.XMLParser(target=_Builder())
    for begin in range(0, len(xml), _PIECE):
        parser.feed(xml[begin : begin + _PIECE])
    tree: ET.Element = parser.close()
    return tree


def runs_a_system(xml: str) -> bool:
    """Whether the first program of this container is to start a whole system, by its name."""
    init = parsed(xml).findtext("os/init", "")
    return init.rpartition("/")[2] in ("init", "systemd")


def disk_targets(xml: str) -> tuple[str, ...]:
    """What libvirt's calls name the disks of a guest by."""
    targets = parsed(xml).iterfind("devices/disk/target")
    return tuple(name for target in targets if (name := target.get("dev")))


def _is_connected_agent(target: ET.Element) -> bool:
    """libvirt tells in the XML of a running guest whether anybody listens."""
    return target.get("name") == AGENT and target.get("state") == "connected"


def _unsavable(domain: ET.Element) -> list[str]:
    """Reasons known beforehand why libvirt or good sense refuses a managed save."""
    found = []
    if domain.get("type") == "lxc":
        found.append("it is a container, which libvirt cannot save")
    if domain.find("devices/hostdev") is not None or _hostdev_interface(domain):
        found.append("it has a host device")
    if any(driver.get("type") == "virtiofs" for driver in domain.iterfind(".//filesystem/driver")):
        found.append("it has a virtiofs file system")
    if any(_requires_invtsc(feature) for feature in domain.iterfind("cpu/feature")):
        found.append("its CPU has invtsc, which cannot be saved")
    cpu = domain.find("cpu")
    if cpu is not None and cpu.get("migratable") == "off":
        found.append("its CPU is set to migratable off")
    if domain.find("devices/disk/shareable") is not None:
        found.append("it shares a disk with another guest, which would go on writing")
    return found


def _hostdev_interface(domain: ET.Element) -> bool:
    return any(nic.get("type") == "hostdev" for nic in domain.iterfind("devices/interface"))


def _requires_invtsc(feature: ET.Element) -> bool:
    return feature.get("name") == "invtsc" and feature.get("policy") in ("require", "force")


def _manager(domain: ET.Element) -> str | None:
    metadata = domain.find("metadata")
    for element in metadata if metadata is not None else ():
        if _namespace(element.tag) in _MANAGERS:
            return _MANAGERS[_namespace(element.tag)]
    return None


def _namespace(tag: str) -> str:
    return tag.partition("}")[0].lstrip("{")


def _disks(domain: ET.Element, volumes: Volumes) -> list[Disk]:
    found: list[Disk] = []
    for disk in domain.iterfind("devices/disk"):
        found += _chain(disk, volumes)
    nvram = domain.find("os/nvram")
    if nvram is not None:
        found += _nvram(nvram)
    found += _boot_files(domain)
    return list(dict.fromkeys(found))


def _boot_files(domain: ET.Element) -> list[Disk]:
    """What QEMU opens before the guest is there: without it there is no resume either."""
    texts = [domain.findtext(f"os/{name}") for name in ("loader", "kernel", "initrd", "dtb")]
    paths = [(text or "").strip() for text in texts]
    return [Disk(DiskKind.FILE, path, read_only=True) for path in paths if path.startswith("/")]


def _nvram(nvram: ET.Element) -> list[Disk]:
    source = nvram.find("source")
    if source is not None:
        return [_disk(nvram.get("type", "file"), source)]
    path = (nvram.text or "").strip()
    return [Disk(DiskKind.FILE, path)] if path else []


def _chain(disk: ET.Element, volumes: Volumes) -> list[Disk]:
    """A disk and its backing files, as far as the XML of a running guest names them."""
    if _is_dropped_when_missing(disk):
        return []
    found = []
    layer: ET.Element | None = disk
    while layer is not None:
        source = layer.find("source")
        if source is not None and (source.attrib or len(source)):
            found.append(_disk(layer.get("type", "file"), source, volumes))
        found += _data_file(layer)
        layer = layer.find("backingStore")
    read_only = _is_read_only(disk)
    return [replace(disk, read_only=read_only) for disk in found]


def _is_read_only(disk: ET.Element) -> bool:
    return disk.get("device") in ("cdrom", "floppy") or disk.find("readonly") is not None


def _is_dropped_when_missing(disk: ET.Element) -> bool:
    """A medium without which libvirt resumes the guest all the same (startupPolicy)."""
    source = disk.find("source")
    policy = source.get("startupPolicy") if source is not None else None
    return policy in ("optional", "requisite") and _is_read_only(disk)


def _data_file(layer: ET.Element) -> list[Disk]:
    """Where a qcow2 image leaves its data, if elsewhere; libvirt tells from 10.10 on."""
    store = layer.find("dataStore")
    source = store.find("source") if store is not None else None
    return [] if store is None or source is None else [_disk(store.get("type", "file"), source)]


def _disk(kind: str, source: ET.Element, volumes: Volumes = no_volumes) -> Disk:
    if kind == "file":
        return Disk(DiskKind.FILE, source.get("file", ""))
    if kind == "block":
        return Disk(DiskKind.BLOCK, source.get("dev", ""))
    if kind == _VOLUME:
        pool, name = source.get("pool", ""), source.get("volume", "")
        if (path := volumes(pool, name)) and path.startswith("/"):
            return Disk(DiskKind.FILE, path)
    name = source.get("name") or source.get("volume") or source.get("dir") or ""
    return Disk(DiskKind.OTHER, f"{kind} {source.get('protocol', '')} {name}".strip())
