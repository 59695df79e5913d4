"""The doctor's checks of the service, its configuration and its connections."""

from __future__ import annotations

from typing import Any

import pytest

from guestctl.decisions.doctor import examine
from guestctl.decisions.host_facts import LostConnection
from guestctl.model.finding import Finding, Severity
from guestctl.model.host_units import GUARD, SERVICE, HostWords, Unit
from tests.unit.healthy import SAID, WORDS, facts, healthy, units, units_but
from tests.unit.makers import URI


def only(**differs: Any) -> Finding:
    (finding,) = examine(healthy(**differs))
    return finding


def test_a_service_that_is_off() -> None:
    words = HostWords(5.0, {**WORDS, SERVICE: Unit("inactive", "disabled")})
    seen = units_but(SERVICE, active="inactive", enabled="disabled")
    said = {**SAID, "running": False, "enabled": "disabled"}
    finding = only(service=said, units=units(words=words, units=seen.units))
    assert (finding.check, finding.severity) == ("service-off", Severity.ERROR)
    assert finding.evidence == (
        f"{SERVICE}: LoadState=loaded ActiveState=inactive UnitFileState=disabled",
    )


def test_a_guard_that_is_off() -> None:
    words = HostWords(5.0, {**WORDS, GUARD: Unit("inactive", "static")})
    seen = units_but(GUARD, active="inactive")
    finding = only(units=units(words=words, units=seen.units))
    assert (finding.check, finding.command) == ("guard-off", f"systemctl start {GUARD}")
    assert finding.evidence == (
        f"{GUARD}: LoadState=loaded ActiveState=inactive UnitFileState=static",
    )


SAYS = [
    ("configuration", {"source": "what is right", "problems": ["/a:1: no"]}, "config-mistakes"),
    ("configuration", {"source": "", "problems": [], "differs": ["x"]}, "config-not-loaded"),
    ("connections", {URI: "gone"}, "connection-lost"),
    ("out_of_reach", {URI: ["web"]}, "connection-lost"),
    ("logind", {"connected": False, "problem": "no answer"}, "logind-not-heard"),
]


@pytest.mark.parametrize(("key", "value", "check"), SAYS)
def test_what_the_service_says_of_itself(key: str, value: Any, check: str) -> None:
    assert only(service={**SAID, key: value}).check == check


def test_a_connection_that_cannot_be_read_now() -> None:
    finding = only(facts=facts(lost=(LostConnection(URI, "cannot connect"),)))
    assert (finding.check, finding.text) == ("connection-lost", "cannot connect")


def test_a_mistake_is_told_once_whoever_has_read_the_file() -> None:
    mistake, source = "/a:1: no", "the last good configuration"
    finding = only(mistakes=(mistake,), in_place=source)
    assert (finding.check, finding.severity) == ("config-mistakes", Severity.ERROR)
    said = {**SAID, "configuration": {"source": source, "problems": [mistake]}}
    assert only(service=said, mistakes=(mistake,), in_place=source) == finding
