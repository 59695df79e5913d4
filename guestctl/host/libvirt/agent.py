"""Whether a guest's agent answers, and at which addresses a guest can be reached."""

from __future__ import annotations

import ipaddress
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any

import libvirt

from ...model.ports import ErrorKind, HypervisorError
from .connections import is_alive

#: An agent that answers with a failure is there: a command may be forbidden to it, or its disks are
#: frozen for a backup.  Told by words: 9.0 has no code for it.
_ANSWER = "unable to execute QEMU agent command"


def ping(domain: Any) -> None:
    """Have the agent answer.  HypervisorError or libvirtError where it does not.

    By asking it the time: libvirt first has it answer to a number of its own (guest-sync), which
    is the ping, and gives up after 5 s.  virDomainQemuAgentCommand with guest-ping would leave the
    guest marked as tainted ("custom-ga-command", 9.0 to 12.8).
    """
    if domain.connect().getType() != "QEMU":
        raise HypervisorError(ErrorKind.UNSUPPORTED, "this driver knows no guest agent")
    try:
        domain.getTime()
    except libvirt.libvirtError as error:
        if _ANSWER not in str(error):
            raise


#: Of the agent, in the guest's XML.
_CHANNEL = "org.qemu.guest_agent.0"
_UNSUPPORTED = (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED)
_SOURCES = (
    libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
    libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
    libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
)


def addresses(domain: Any) -> tuple[str, ...]:
    """What the first of agent, leases and ARP knows that knows any; those of IPv4 first.

    HypervisorError or libvirtError where none knows any, and leases or ARP, which might, could not
    be read; or nobody could be asked.
    """
    errors: dict[int, libvirt.libvirtError] = {}
    xml = ET.fromstring(domain.XMLDesc())
    macs, sources = _macs(xml), _sources(xml)
    for source in sources:
        try:
            found = domain.interfaceAddresses(source)
        except libvirt.libvirtError as error:
            if not is_alive(domain.connect()):
                raise
            errors[source] = error
        else:
            if usable := _usable(found, macs):
                return usable
    if macs and (faults := _faults(errors)):
        raise faults[0]
    if len(errors) == len(sources):
        raise [*errors.values()][-1]
    return ()


def _faults(errors: Mapping[int, libvirt.libvirtError]) -> list[libvirt.libvirtError]:
    """What is no matter of course: many guests have no agent, and some drivers not each source.

    libvirt 9.0 cannot read ARP where the kernel is a newer one ("wrong nlmsg len", seen with 6.18).
    """
    return [
        error
        for source, error in errors.items()
        if source != libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
        and error.get_error_code() not in _UNSUPPORTED
    ]


def _sources(xml: ET.Element) -> tuple[int, ...]:
    """An agent that the guest does not have is an error in libvirtd's log each time."""
    names = {target.get("name") for target in xml.iterfind("devices/channel/target")}
    return _SOURCES if _CHANNEL in names else _SOURCES[1:]


def _macs(xml: ET.Element) -> frozenset[str]:
    """Of the guest's network cards, as its XML has them."""
    found = xml.iterfind("devices/interface/mac")
    return frozenset(mac.get("address", "").lower() for mac in found)


def _usable(interfaces: Mapping[str, Any] | None, macs: frozenset[str]) -> tuple[str, ...]:
    """The addresses that others can reach.

    An agent also tells those of networks inside the guest, of containers for one, which may be
    the host's own as well: only those of cards that the XML has count, where it has any.
    """
    found = dict.fromkeys(
        address
        for interface in (interfaces or {}).values()
        if not macs or str(interface.get("hwaddr")).lower() in macs
        for address in _addresses(interface)
    )
    return tuple(sorted(found, key=lambda text: ":" in text))


def _addresses(interface: Mapping[str, Any]) -> Iterator[str]:
    for entry in interface.get("addrs") or ():
        try:
            address = ipaddress.ip_address(entry["addr"])
        except ValueError:
            continue  # an agent may say anything
        if not (address.is_loopback or address.is_link_local or address.is_unspecified):
            yield str(address)
