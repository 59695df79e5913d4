"""What is made of what libvirt says of a guest's agent and of its addresses."""

from __future__ import annotations

from typing import Any

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.host.libvirt import agent
from guestctl.model.ports import ErrorKind, HypervisorError

AGENT = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
LEASE = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE
ARP = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP
MAC = "52:54:00:00:00:01"
CARD = f"<interface type='network'><mac address='{MAC}'/></interface>"
CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


class Domain:
    """A domain of a driver; sources: what each knows, or how it fails; its agent is one of them."""

    def __init__(
        self,
        sources: dict[int, Any] | None = None,
        devices: str = CARD,
        driver: str = "QEMU",
        time: Exception | None = None,
    ) -> None:
        self._sources, self._devices = sources or {}, devices
        self._driver, self._time = driver, time
        self.asked: list[int] = []

    def connect(self) -> Any:
        return self

    def isAlive(self) -> int:
        return 1

    def getType(self) -> str:
        return self._driver

    def XMLDesc(self) -> str:
        channel = CHANNEL if AGENT in self._sources else ""
        return f"<domain><devices>{self._devices}{channel}</devices></domain>"

    def getTime(self) -> dict[str, int]:
        if self._time:
            raise self._time
        return {"seconds": 1, "nseconds": 0}

    def interfaceAddresses(self, source: int) -> Any:
        self.asked.append(source)
        found = self._sources.get(source, libvirt.libvirtError("not there"))
        if isinstance(found, Exception):
            raise found
        return found


def card(*addresses: str, mac: str = MAC, name: str = "eth0") -> dict[str, Any]:
    return {name: {"hwaddr": mac, "addrs": [{"addr": a, "prefix": 24} for a in addresses]}}


NO_AGENT: dict[int, Any] = {LEASE: {}, ARP: {}}


def test_agent_then_leases_then_arp() -> None:
    three = {AGENT: card("10.0.0.1"), LEASE: card("10.0.0.2"), ARP: card("10.0.0.3")}
    assert agent.addresses(Domain(three)) == ("10.0.0.1",)
    assert agent.addresses(Domain(three | {AGENT: {}})) == ("10.0.0.2",)
    assert agent.addresses(Domain({ARP: three[ARP]})) == ("10.0.0.3",)
    assert agent.addresses(Domain(NO_AGENT)) == ()


def test_an_agent_that_the_guest_does_not_have_is_not_asked() -> None:
    """libvirtd logs an error each time."""
    domain = Domain(NO_AGENT)
    agent.addresses(domain)
    assert domain.asked == [LEASE, ARP]


def test_where_none_can_be_asked_it_fails() -> None:
    with pytest.raises(libvirt.libvirtError):
        agent.addresses(Domain())


class Fault(libvirt.libvirtError):  # type: ignore[misc]  # it has no types
    """With a code, as only libvirt itself gives one."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self._code = code

    def get_error_code(self) -> int:
        return self._code


def test_a_source_that_could_not_be_read_is_told_where_no_other_knows_any() -> None:
    """libvirt 9.0 under a newer kernel; a network that is not there."""
    arp = Fault("internal error: wrong nlmsg len", libvirt.VIR_ERR_INTERNAL_ERROR)
    lease = Fault("Network not found", libvirt.VIR_ERR_NO_NETWORK)
    assert agent.addresses(Domain({LEASE: card("10.0.0.2"), ARP: arp})) == ("10.0.0.2",)
    with pytest.raises(Fault, match="nlmsg"):
        agent.addresses(Domain({LEASE: {}, ARP: arp}))
    with pytest.raises(Fault, match="Network"):
        agent.addresses(Domain({AGENT: {}, LEASE: lease, ARP: arp}))
    assert agent.addresses(Domain({LEASE: {}, ARP: arp}, devices="")) == ()


def test_a_source_that_a_driver_does_not_know_is_no_fault() -> None:
    unknown = Fault("not supported", libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED)
    assert agent.addresses(Domain({AGENT: unknown, LEASE: {}, ARP: unknown})) == ()
    with pytest.raises(Fault, match="not supported"):
        agent.addresses(Domain({AGENT: unknown, LEASE: unknown, ARP: unknown}))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "fe80::1", "169.254.1.2", "0.0.0.0", "::", "no", ""]
)
def test_what_leads_nowhere_is_left_out(address: str) -> None:
    assert agent.addresses(Domain(NO_AGENT | {AGENT: card(address)})) == ()
    both = card(address, "10.0.0.1")
    assert agent.addresses(Domain(NO_AGENT | {AGENT: both})) == ("10.0.0.1",)


def test_addresses_of_ipv4_come_first_and_each_once() -> None:
    found = card("2001:db8::2", "10.0.0.2", "10.0.0.2") | card("10.0.0.1", name="eth1")
    assert agent.addresses(Domain({AGENT: found})) == ("10.0.0.2", "10.0.0.1", "2001:db8::2")


def test_networks_inside_the_guest_are_not_its_own() -> None:
    inside = card("172.17.0.1", mac="02:42:00:00:00:01", name="docker0")
    assert agent.addresses(Domain({AGENT: inside | card("10.0.0.1")})) == ("10.0.0.1",)
    assert agent.addresses(Domain(NO_AGENT | {AGENT: inside})) == ()


def test_where_the_xml_knows_no_card_all_count() -> None:
    """One that was handed through is a hostdev without a MAC."""
    found = card("10.0.0.1", mac="aa:bb:cc:dd:ee:ff")
    assert agent.addresses(Domain({AGENT: found}, devices="<hostdev/>")) == ("10.0.0.1",)


def test_the_case_of_a_mac_does_not_matter() -> None:
    assert agent.addresses(Domain({AGENT: card("10.0.0.1", mac=MAC.upper())})) == ("10.0.0.1",)


@given(
    st.dictionaries(
        st.text(),
        st.fixed_dictionaries(
            {
                "hwaddr": st.none() | st.text() | st.just(MAC),
                "addrs": st.none() | st.lists(st.builds(lambda a: {"addr": a}, st.text())),
            }
        ),
    )
)
def test_an_agent_may_say_anything(found: dict[str, Any]) -> None:
    assert isinstance(agent.addresses(Domain(NO_AGENT | {AGENT: found})), tuple)


def test_an_agent_that_answers_with_a_failure_answers() -> None:
    agent.ping(Domain())
    for text in (  # 9.0, 12.8
        "internal error: unable to execute QEMU agent command 'guest-get-time': it is disabled",
        "guest agent command failed: unable to execute QEMU agent command 'guest-get-time': frozen",
    ):
        agent.ping(Domain(time=libvirt.libvirtError(text)))
    with pytest.raises(libvirt.libvirtError):
        agent.ping(Domain(time=libvirt.libvirtError("QEMU guest agent is not connected")))


@pytest.mark.parametrize("driver", ["LXC", "Xen", "TEST"])
def test_other_drivers_know_no_agent(driver: str) -> None:
    with pytest.raises(HypervisorError) as caught:
        agent.ping(Domain(driver=driver))
    assert caught.value.kind is ErrorKind.UNSUPPORTED
