"""What guests need of this host to be started, and what libvirt has of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import libvirt

from ...model.guest import GuestId
from ...model.host_needs import Emulator, GuestNeeds, Supplied, Supplies, Supply
from ...model.host_state import NotKnown
from ..programs import is_program
from .connections import Pool, is_alive
from .domain_xml import AGENT, parsed


async def read(uri: str, uuids: Collection[str]) -> tuple[dict[GuestId, GuestNeeds], Supplies]:
    """Of these guests, and of the connection.  Raises HypervisorError.

    No guest is asked anything, and nothing of them is opened.
    """
    pool = Pool(uri, True, 1)
    try:
        return await pool.call(lambda conn: (_guests(uri, conn, uuids), _supplies(uri, conn)))
    finally:
        pool.close()


def absent(emulators: Iterable[str]) -> frozenset[str]:
    """Those that are no programs of this host."""
    return frozenset(path for path in emulators if not is_program(path))


def _guests(uri: str, conn: Any, uuids: Collection[str]) -> dict[GuestId, GuestNeeds]:
    """Without those that are gone, or whose XML makes no sense."""
    found = {}
    for uuid in uuids:
        try:
            xml = conn.lookupByUUIDString(uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            found[GuestId(uri, uuid)] = read_needs(xml)
        except libvirt.libvirtError:
            if not is_alive(conn):
                raise
        except (ET.ParseError, ValueError):
            pass
    return found


def read_needs(xml: str) -> GuestNeeds:
    """Raises ParseError, or ValueError."""
    domain = parsed(xml)
    kind, agents = domain.find("os/type"), domain.iterfind("devices/channel/target")
    return GuestNeeds(
        networks=_named(domain, "devices/interface[@type='network']/source", "network"),
        pools=_named(domain, "devices/disk[@type='volume']/source", "pool"),
        devices=_devices(domain),
        emulator=domain.findtext("devices/emulator", ""),
        arch=kind.get("arch", "") if kind is not None else "",
        machine=kind.get("machine", "") if kind is not None else "",
        accelerator=domain.get("type", ""),
        made_anew=tuple(filter(None, [domain.findtext("os/nvram"), *_nvram_sources(domain)])),
        has_agent_channel=any(target.get("name") == AGENT for target in agents),
    )


def _named(domain: ET.Element, path: str, attribute: str) -> tuple[str, ...]:
    """Each once."""
    names = (source.get(attribute) for source in domain.iterfind(path))
    return tuple(dict.fromkeys(name for name in names if name))


def _devices(domain: ET.Element) -> tuple[str, ...]:
    """Bridges of the host and devices that guests share; those of Open vSwitch need be none."""
    found = []
    for interface in domain.iterfind("devices/interface"):
        port, source = interface.find("virtualport"), interface.find("source")
        if source is not None and (port is None or port.get("type") != "openvswitch"):
            found.append(source.get(_NAMED_BY.get(interface.get("type", ""), ""), ""))
    return tuple(dict.fromkeys(filter(None, found)))


#: How an interface names a network device of the host, by its type.
_NAMED_BY = {"bridge": "bridge", "direct": "dev"}


def _nvram_sources(domain: ET.Element) -> list[str | None]:
    return [source.get("file") for source in domain.iterfind("os/nvram/source")]


# What there is


def _supplies(uri: str, conn: Any) -> Supplies:
    return Supplies(
        _supplied(conn, f"networks of {uri}", lambda: conn.listAllNetworks()),
        _supplied(conn, f"storage pools of {uri}", lambda: conn.listAllStoragePools()),
        _emulators(conn, uri),
    )


def _supplied(conn: Any, what: str, every: Callable[[], list[Any]]) -> Supplied:
    """Each of them has a daemon of its own that may be away."""
    try:
        return tuple(map(_supply, every()))
    except libvirt.libvirtError as error:
        if not is_alive(conn):
            raise
        return NotKnown(what, str(error))


def _supply(found: Any) -> Supply:
    at_boot = bool(found.isPersistent() and found.autostart())
    return Supply(found.name(), bool(found.isActive()), at_boot)


def _emulators(conn: Any, uri: str) -> tuple[Emulator, ...] | NotKnown:
    try:
        return tuple(read_emulators(conn.getCapabilities()))
    except libvirt.libvirtError as error:
        if not is_alive(conn):
            raise
        return NotKnown(f"what {uri} can run", str(error))


def read_emulators(xml: str) -> Iterator[Emulator]:
    """Of the capabilities of a connection; each type of domain may have an emulator of its own."""
    for arch in ET.fromstring(xml).iterfind("guest/arch"):
        domains = arch.findall("domain")
        for path in dict.fromkeys([arch.findtext("emulator"), *_others(domains)]):
            if path:
                machines = [*arch.findall("machine"), *arch.findall("domain/machine")]
                yield Emulator(
                    arch.get("name", ""),
                    path,
                    frozenset(_names(machines)),
                    frozenset(domain.get("type", "") for domain in domains),
                )


def _others(domains: Iterable[ET.Element]) -> list[str | None]:
    return [domain.findtext("emulator") for domain in domains]


def _names(machines: Iterable[ET.Element]) -> Iterator[str]:
    for machine in machines:
        yield machine.text or ""
        yield machine.get("canonical") or ""
