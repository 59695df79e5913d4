"""The libvirt domains of the tests: tiny guests, told by their kernel how to behave."""

from __future__ import annotations

import hashlib
import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .tiny_guest import GuestImage

# Of no meaning but to be always the same: a guest's uuid follows from its name.
NAMESPACE = uuid.UUID("5f1a3f0e-7d0c-4d53-9c43-0d9c0c0ffee0")
AGENT_CHANNEL = "org.qemu.guest_agent.0"
# Saves over half a second of boot on an emulated processor, and keeps the console clean for ticks:
# of the kernel's own messages only a panic comes through.  panic=0: stay where it crashed.  A
# kernel that rewrites itself, for one processor or to protect its memory, is translated twice.
KERNEL_ARGS = (
    "console=ttyS0 quiet loglevel=1 panic=0 nokaslr mitigations=off no_timer_check"
    " tsc=reliable cryptomgr.notests unknown_nmi_panic noreplace-smp rodata=off"
    " audit=0 edd=off"
)
LONGEST_FILE_NAME = 200


@dataclass(frozen=True)
class Card:
    """A guest's network card.

    network: libvirt's, which it is on; without one QEMU's own, which has DHCP and no way in.
    addresses: each with its prefix; none: it asks for one.  talks_to: whom it sends something each
    second.  port: where it accepts connections, `ADDRESS:PORT` at one of its addresses alone,
    after so many ticks; None: at a press of its power button, if that is set to "listen".
    """

    network: str = ""
    addresses: tuple[str, ...] = ()
    talks_to: str | None = None
    port: str | None = None
    listens_after: int | None = 1

    @property
    def wishes(self) -> dict[str, object]:
        """What the guest is told of it."""
        return {
            "address": ",".join(self.addresses) or "dhcp",
            "talks": self.talks_to,
            "listens": self.port,
            "listen": self.port and self.listens_after,
        }


@dataclass(frozen=True)
class GuestSpec:
    """A guest to make.

    button: what a press of the power button does: "obey", "ignore", "second" (only the second
    press counts), "slow:N" (power off N seconds after it) or "listen" (see Card).  The `*_after`
    are counts of ticks after which the guest does it of itself.  `virsh inject-nmi` makes any guest
    panic.
    dirty_mib: memory beside `memory_mib` that the guest fills before its first tick.
    """

    name: str
    button: str = "obey"
    memory_mib: int = 96
    agent: bool = False
    card: Card | None = None
    disk: Path | None = None
    poweroff_after: int | None = None
    reboot_after: int | None = None
    panic_after: int | None = None
    suspend_after: int | None = None
    dirty_mib: int = 0
    kernel_args: str = ""
    uuid: str = ""
    on_crash: str = "destroy"
    on_poweroff: str = "destroy"
    description: str = ""

    @property
    def id(self) -> str:
        """The guest's uuid: the one given, else one that follows from the name."""
        return self.uuid or guest_uuid(self.name)

    @property
    def mac(self) -> str:
        """Of its network card: the same each time that it is defined."""
        return ":".join(("52", "54", "00", *re.findall("..", self.id.replace("-", "")[-6:])))

    @property
    def command_line(self) -> str:
        """The kernel command line with the guest's behaviour."""
        wishes: dict[str, object] = {
            "button": self.button,
            "agent": int(self.agent) or None,
            "poweroff": self.poweroff_after,
            "reboot": self.reboot_after,
            "panic": self.panic_after,
            "suspend": self.suspend_after,
            "dirty": self.dirty_mib or None,
            **(self.card.wishes if self.card else {}),
        }
        told = (f"gc.{key}={value}" for key, value in wishes.items() if value is not None)
        return " ".join([KERNEL_ARGS, *told, self.kernel_args]).strip()


def guest_uuid(name: str) -> str:
    """The uuid of the guest of that name, unless its spec gives another."""
    return str(uuid.uuid5(NAMESPACE, name))


def file_name(name: str, suffix: str) -> str:
    """A file name for a guest of any name: no odd characters, never too long, always the same."""
    plain = quote(name, safe="")
    if len(plain) > LONGEST_FILE_NAME or plain.startswith((".", "-")):
        plain = f"{hashlib.sha256(name.encode()).hexdigest()[:16]}{plain[-40:]}"
    return plain + suffix


def domain_xml(spec: GuestSpec, image: GuestImage, console_log: Path) -> str:
    """The domain's XML.  The console's file is appended to, by a boot and by a restore."""
    domain = ET.Element("domain", type="qemu")
    _text(domain, "name", spec.name)
    _text(domain, "uuid", spec.id)
    if spec.description:
        _text(domain, "description", spec.description)
    # The kernel's own record of each page takes a sixtieth of it, and tmpfs has some more.
    memory = spec.memory_mib + spec.dirty_mib + spec.dirty_mib // 16
    _text(domain, "memory", str(memory), unit="MiB")
    _text(domain, "vcpu", "1")
    _add_boot(domain, spec, image)
    _add_behaviour(domain, spec)
    _add_devices(ET.SubElement(domain, "devices"), spec, console_log)
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode")


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text


def _add_boot(domain: ET.Element, spec: GuestSpec, image: GuestImage) -> None:
    virtio = spec.agent or spec.card
    system = ET.SubElement(domain, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="pc")
    _text(system, "kernel", str(image.kernel))
    _text(system, "initrd", str(image.virtio_initrd if virtio else image.initrd))
    _text(system, "cmdline", spec.command_line)


def _add_behaviour(domain: ET.Element, spec: GuestSpec) -> None:
    ET.SubElement(ET.SubElement(domain, "features"), "acpi")
    processor = ET.SubElement(domain, "cpu", mode="custom", match="exact", check="none")
    _text(processor, "model", "qemu64")
    # Random numbers from the first moment on: two guests must never show the same boot id.
    ET.SubElement(processor, "feature", policy="require", name="rdrand")
    _text(domain, "on_poweroff", spec.on_poweroff)
    _text(domain, "on_crash", spec.on_crash)
    power = ET.SubElement(domain, "pm")
    ET.SubElement(power, "suspend-to-mem", enabled="yes")


def _add_devices(devices: ET.Element, spec: GuestSpec, console_log: Path) -> None:
    serial = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(serial, "source", path=str(console_log), append="on")
    # Each device left out is a device that the guest need not probe.
    ET.SubElement(devices, "controller", type="usb", model="none")
    ET.SubElement(devices, "memballoon", model="none")
    ET.SubElement(devices, "panic", model="isa")
    if spec.agent:
        channel = ET.SubElement(devices, "channel", type="unix")
        ET.SubElement(channel, "target", type="virtio", name=AGENT_CHANNEL)
    if spec.card:
        _add_card(devices, spec.card, spec.mac)
    if spec.disk:
        _add_disk(devices, spec.disk)


def _add_disk(devices: ET.Element, path: Path) -> None:
    disk = ET.SubElement(devices, "disk", type="file", device="disk")
    kind = "qcow2" if path.suffix == ".qcow2" else "raw"
    ET.SubElement(disk, "driver", name="qemu", type=kind)
    ET.SubElement(disk, "source", file=str(path))
    ET.SubElement(disk, "target", dev="vda", bus="virtio")


def _add_card(devices: ET.Element, card: Card, mac: str) -> None:
    interface = ET.SubElement(devices, "interface", type="network" if card.network else "user")
    ET.SubElement(interface, "mac", address=mac)
    if card.network:
        ET.SubElement(interface, "source", network=card.network)
    ET.SubElement(interface, "model", type="virtio")
    # Nothing boots from it.
    ET.SubElement(interface, "rom", enabled="no")
