"""The systemd units: what must hold of them on any host."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent.parent / "systemd"
NAMES = sorted(path.name for path in UNITS.glob("*.service"))
HARDENING = "guestctl-.service.d/10-hardening.conf"
MOST_EXPOSED = 3.0
STARTS_OTHERS = {"Requires", "Requisite", "Wants", "BindsTo", "Upholds"}
TIED_TO_OTHERS = {"Requires", "Requisite", "BindsTo", "PartOf", "Conflicts"}

every_unit = pytest.mark.parametrize("name", NAMES)


def read(name: str) -> dict[str, list[str]]:
    """The words of each setting of a unit, those of several lines together."""
    text = (UNITS / name).read_text().replace("\\\n", " ")
    settings: dict[str, list[str]] = defaultdict(list)
    for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        settings[key] += value.split()
    return settings


def test_there_are_five() -> None:
    kinds = ["-autostart", "-fallback", "-guard", "-probe", ""]
    assert [f"guestctl{kind}.service" for kind in kinds] == NAMES


@every_unit
def test_little_is_exposed(name: str) -> None:
    argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNITS / name)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", shown)
    assert found
    assert float(found[1]) <= MOST_EXPOSED


@every_unit
def test_what_all_units_share_stands_in_none(name: str) -> None:
    """A drop-in comes after the unit, would win over it, and would add to its lists."""
    assert not read(name).keys() & read(HARDENING).keys()


def test_the_service_has_it_by_a_link() -> None:
    """Names that begin with guestctl- are meant by the folder; guestctl.service is not."""
    link = UNITS / "guestctl.service.d" / Path(HARDENING).name
    assert link.is_symlink()
    assert link.resolve() == UNITS / HARDENING


@every_unit
def test_none_is_tied_to_the_life_of_another(name: str) -> None:
    settings = read(name)
    tied = {unit for key in TIED_TO_OTHERS for unit in settings[key]}
    assert tied <= {"virt-guest-shutdown.target"}


@pytest.mark.parametrize("name", ["guestctl.service", "guestctl-guard.service"])
def test_the_stop_is_short_unless_it_asks_for_time(name: str) -> None:
    assert read(name)["TimeoutStopSec"] == ["60s" if "guard" in name else "30s"]
    assert read(name)["NotifyAccess"] == ["exec" if "guard" in name else "main"]


def test_the_guard_stops_after_the_service_and_before_all_that_it_needs() -> None:
    service, guard = read("guestctl.service"), read("guestctl-guard.service")
    only_service = ["guestctl-guard.service", "guestctl-probe.socket", "time-sync.target"]
    assert sorted(service["After"]) == sorted([*only_service, *guard["After"]])
    assert service["Requires"] == guard["Requires"]


@pytest.mark.parametrize("name", ["guestctl.service", "guestctl-fallback.service"])
def test_guests_are_started_once_the_clock_is_right(name: str) -> None:
    """As by libvirt-guests.service.  The guard waits for no clock."""
    assert "time-sync.target" in read(name)["After"]
    assert "time-sync.target" not in read("guestctl-guard.service")["After"]


def test_what_starts_in_an_emergency_starts_nothing_else() -> None:
    fallback = read("guestctl-fallback.service")
    assert not [key for key in STARTS_OTHERS if fallback[key]]
    assert read("guestctl.service")["OnFailureJobMode"] == ["fail"]


NETWORK = "guestctl-probe.service.d/20-network.conf"


def test_only_the_probe_has_a_network_and_nothing_else_back() -> None:
    taken, given = read(HARDENING), read(NETWORK)
    assert taken["PrivateNetwork"] == ["yes"]
    assert given["PrivateNetwork"] == ["no"]
    assert given["RestrictAddressFamilies"] == ["AF_INET", "AF_INET6"]
    assert given["IPAddressDeny"] == ["localhost", "link-local", "multicast"]
    network = {"PrivateNetwork", "RestrictAddressFamilies", "IPAddressDeny"}
    assert given.keys() - network == {"MemoryMax", "TasksMax"}
    assert {
        path.parent.name for path in UNITS.glob("*.d/*") if path.name != "10-hardening.conf"
    } == {"guestctl-probe.service.d"}
    assert Path(NETWORK).name > Path(HARDENING).name


def test_the_probe_is_root_nowhere_and_asked_by_root_alone() -> None:
    probe, socket = read("guestctl-probe.service"), read("guestctl-probe.socket")
    assert probe["DynamicUser"] == ["yes"]
    assert (probe["CapabilityBoundingSet"], probe["AmbientCapabilities"]) == ([], [])
    assert socket["SocketMode"] == ["0600"]
    assert socket["ListenStream"] == ["/run/guestctl/probe"]
    assert "Accept" not in socket
    assert read("guestctl.service")["Wants"] == ["guestctl-guard.service", "guestctl-probe.socket"]


def test_autostart_is_claimed_before_any_daemon_starts_guests() -> None:
    before = read("guestctl-autostart.service")["Before"]
    assert {"libvirtd.service", "virtqemud.service", "virtlxcd.service"} <= set(before)


@pytest.mark.parametrize("name", [*NAMES, HARDENING, NETWORK, "guestctl-probe.socket"])
def test_every_setting_that_is_not_plain_has_its_reason(name: str) -> None:
    """A block of settings is under a comment, but for what any unit has."""
    plain = re.compile(r"(Description|Documentation|WantedBy|Type|ExecStart)=|\[|$")
    blocks = re.split(r"\n\n+|(?=\[\w+\]\n)", (UNITS / name).read_text())
    bare = [b for b in blocks if not any(line.startswith("#") for line in b.splitlines())]
    assert [line for block in bare for line in block.splitlines() if not plain.match(line)] == []
