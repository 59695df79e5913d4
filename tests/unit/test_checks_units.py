"""The doctor's checks of units: each found, with what it was seen in."""

from __future__ import annotations

from typing import Any

import pytest

from guestctl.decisions.doctor import examine
from guestctl.decisions.drop_ins import is_anothers, matters
from guestctl.model.finding import Finding, Severity
from guestctl.model.host_state import NotKnown
from guestctl.model.host_units import (
    CLAIMER,
    FALLBACK,
    GUARD,
    PROBE_SOCKET,
    RIVAL,
    SERVICE,
    SHUTDOWN_TARGET,
    DropIn,
    HostWords,
    Unit,
)
from tests.unit.healthy import SAID, WORDS, healthy, units, units_but

ETC = "/etc/systemd/system"


def only(**differs: Any) -> Finding:
    (finding,) = examine(healthy(**differs))
    return finding


def test_libvirt_guests_with_what_shows_it() -> None:
    words = HostWords(5.0, {**WORDS, RIVAL: Unit("active", "enabled")})
    found = units_but(RIVAL, active="active", enabled="enabled")
    finding = only(units=units(words=words, units=found.units))
    assert (finding.check, finding.severity) == ("libvirt-guests", Severity.ERROR)
    assert (
        finding.evidence[0] == f"{RIVAL}: LoadState=loaded ActiveState=active UnitFileState=enabled"
    )


@pytest.mark.parametrize(
    "rival", [Unit("active", "disabled", False), Unit("inactive", "enabled", False)]
)
@pytest.mark.parametrize(
    ("list_left", "check", "severity"),
    [
        ("", "libvirt-guests-idle", Severity.NOTE),
        ("/var/lib/libvirt/libvirt-guests", "libvirt-guests-list", Severity.WARNING),
    ],
)
def test_libvirt_guests_without_its_stop_command(
    rival: Unit, list_left: str, check: str, severity: Severity
) -> None:
    """As a takeover leaves it, whoever starts it then."""
    words = HostWords(5.0, {**WORDS, RIVAL: rival})
    finding = only(units=units(words=words, list_left=list_left))
    assert (finding.check, finding.severity) == (check, severity)
    assert finding.command == "guestctl takeover"
    assert "its stop touches no guest" in finding.text
    assert (f"brings up those on {list_left}" in finding.text) is bool(list_left)


def test_without_it_libvirt_guests_sees_to_nobody() -> None:
    ours, rival = Unit("inactive", "disabled"), Unit("active", "enabled", False)
    words = HostWords(5.0, {**WORDS, SERVICE: ours, RIVAL: rival})
    found = examine(healthy(units=units(words=words)))
    (off,) = (it for it in found if it.check == "service-off")
    assert "nobody sees to its guests" in off.text
    assert off.command == "guestctl takeover"


def test_a_masked_libvirt_guests_is_no_rival() -> None:
    words = HostWords(5.0, {**WORDS, RIVAL: Unit("inactive", "masked")})
    found = units_but(RIVAL, load="masked", active="inactive", enabled="masked")
    assert examine(healthy(units=units(words=words, units=found.units))) == []


def test_the_target_that_guests_hang_on() -> None:
    finding = only(units=units_but(SHUTDOWN_TARGET, active="inactive"))
    assert (finding.check, finding.command) == (
        "shutdown-target",
        f"systemctl start {SHUTDOWN_TARGET}",
    )
    assert "orders nothing" in finding.text


@pytest.mark.parametrize("name", [SERVICE, GUARD])
@pytest.mark.parametrize("tie", ["requires", "after"])
def test_a_unit_that_is_not_tied_to_it(name: str, tie: str) -> None:
    finding = only(units=units_but(name, **{tie: ("basic.target",)}))
    assert finding.check == "shutdown-target"
    assert finding.text.startswith(f"{name} neither requires nor follows")


def test_a_host_without_service_needs_no_target() -> None:
    down = {**SAID, "running": False}
    found = examine(healthy(service=down, units=units_but(SHUTDOWN_TARGET, active="inactive")))
    assert [it.check for it in found] == ["service-off"]


@pytest.mark.parametrize("name", [GUARD, CLAIMER, FALLBACK])
def test_a_unit_that_is_masked(name: str) -> None:
    finding = only(units=units_but(name, load="masked", enabled="masked"))
    assert (finding.check, finding.command) == ("unit-missing", f"systemctl unmask {name}")


def test_a_unit_that_is_gone() -> None:
    finding = only(units=units_but(FALLBACK, load="not-found", enabled="", fragment=""))
    assert finding.text == (
        f"{FALLBACK} is not-found: no guest comes up at boot where the service fails"
    )


def test_autostart_is_switched_off_by_itself() -> None:
    finding = only(units=units_but(CLAIMER, enabled="disabled"))
    assert (finding.check, finding.command) == ("autostart-off", f"systemctl enable {CLAIMER}")


def test_a_unit_that_has_failed() -> None:
    finding = only(units=units_but(FALLBACK, active="failed"))
    assert (finding.check, finding.text) == ("unit-failed", f"{FALLBACK} has failed")


@pytest.mark.parametrize("differs", [{"load": "masked"}, {"active": "inactive"}])
def test_a_probe_that_cannot_be_asked(differs: dict[str, Any]) -> None:
    assert only(units=units_but(PROBE_SOCKET, **differs)).check == "probe-off"


def test_a_unit_of_an_administrator_in_place_of_ours() -> None:
    ours, theirs = f"/usr/lib/systemd/system/{SERVICE}", f"{ETC}/{SERVICE}"
    finding = only(units=units_but(SERVICE, fragment=theirs, replaces=ours))
    assert (finding.check, finding.command) == ("unit-replaced", f"diff {ours} {theirs}")
    installed_there = units_but(SERVICE, fragment=theirs)
    assert examine(healthy(units=installed_there)) == [], "where `make install` has it"


def dropped(*settings: str, **more: Any) -> DropIn:
    return DropIn(f"{ETC}/{SERVICE}.d/override.conf", settings, **more)


@pytest.mark.parametrize(
    ("drop_in", "check"),
    [
        (dropped("TimeoutStopSec=5s"), "unit-overridden"),
        (dropped("ProtectHome=yes"), "unit-overridden"),
        (dropped("Nice=5", "KillMode = process"), "unit-overridden"),
        (dropped("ExecStop="), "unit-overridden"),
        (dropped("Requires=web.service"), "unit-overridden"),
        (dropped(trouble="Permission denied"), "unit-overridden"),
        (dropped("UMask=0077", replaces="/usr/lib/x.conf"), "unit-overridden"),
        (dropped("After=zfs.target", "Wants=zfs.target"), "unit-adjusted"),
        (dropped("CPUWeight=200", "LogLevelMax=info"), "unit-adjusted"),
        (dropped(), "unit-adjusted"),
    ],
)
def test_a_drop_in(drop_in: DropIn, check: str) -> None:
    finding = only(units=units_but(SERVICE, drop_ins=(drop_in,)))
    assert finding.check == check
    assert drop_in.path in finding.text
    assert finding.evidence


def test_which_drop_ins_are_ours() -> None:
    ours = f"{ETC}/guestctl-.service.d/10-hardening.conf"
    assert not is_anothers(DropIn(ours))
    assert is_anothers(DropIn(ours, replaces="/usr/lib/systemd/system/x"))
    assert not is_anothers(DropIn("/usr/lib/systemd/system/service.d/10-timeout-abort.conf"))
    assert matters(DropIn(ours, replaces="/usr/lib/systemd/system/x"))


def test_files_that_systemd_has_not_read() -> None:
    finding = only(units=units_but(GUARD, outdated=True))
    assert (finding.check, finding.command) == ("unit-outdated", "systemctl daemon-reload")


def test_files_of_a_masked_unit_do_not_count() -> None:
    finding = only(units=units_but(GUARD, load="masked", enabled="masked", outdated=True))
    assert finding.check == "unit-missing"


def test_units_that_cannot_be_seen_are_no_pass() -> None:
    found = examine(healthy(units=NotKnown("systemd's units", "no answer")))
    assert {it.check for it in found} == {"not-known"}
    assert "libvirt-guests" in found[0].evidence[0]
