"""The doctor's checks of how guests would be taken down, and of their agents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Order, Shutdown
from guestctl.decisions import checks_agents, checks_guests
from guestctl.decisions.check import Check
from guestctl.decisions.doctor import examine
from guestctl.decisions.host_state import HostState
from guestctl.model.finding import Finding, Severity
from guestctl.model.guest import DomainInfo, GuestFacts
from guestctl.model.host_needs import GuestNeeds, HostNeeds
from guestctl.model.options import Method, Scope
from guestctl.model.readiness import AgentAnswers
from tests.unit.healthy import GIB, facts, healthy
from tests.unit.makers import URI, guest, recorded

UNSAVABLE = DomainInfo(unsavable=("it has a host device",))
BY_AGENT = Shutdown(methods=(Method.AGENT,))


def host(*guests: GuestFacts, config: Config | None = None, **more: Any) -> HostState:
    records = tuple(recorded(number, it.name) for number, it in enumerate(guests, 1))
    seen = replace(facts(guests, records, **more), config=config or Config())
    needs = HostNeeds({it.id: GuestNeeds(has_agent_channel=it.name == "agent") for it in guests})
    return healthy(facts=seen, needs=needs)


def found(
    state: HostState, checks: Iterable[Check] = (*checks_guests.CHECKS, *checks_agents.CHECKS)
) -> list[Finding]:
    return examine(state, checks=checks)


def test_nothing_where_guests_can_be_saved() -> None:
    assert found(host(guest(memory=GIB))) == []


def test_room_is_that_for_all_at_once() -> None:
    guests = [guest(name, number, memory=GIB) for number, name in enumerate(("a", "b", "c"), 1)]
    finding, _silent = found(host(*guests, room={URI: 3 * GIB}))
    assert (finding.check, finding.severity) == ("no-room", Severity.WARNING)
    assert finding.name == "c"
    assert finding.evidence == (
        f"memory of the guests of {URI} that would be saved: 3GiB",
        "free where saves go: 3GiB, of which save-reserve keeps 1GiB",
    )


def test_who_cannot_be_saved_is_told_with_the_reason() -> None:
    (finding,) = found(host(guest(info=UNSAVABLE)))[:1]
    assert (finding.check, finding.severity, finding.name) == ("not-saved", Severity.NOTE, "web")
    assert finding.text == "is not saved as the host goes down, but shut down: it has a host device"


def test_who_is_not_to_be_saved_is_not_told() -> None:
    assert found(host(guest(), config=Config(shutdown=Shutdown(save=Scope.NONE))))[1:] == []


def test_nothing_left_to_be_done_is_an_error() -> None:
    nothing = Shutdown(shutdown=Scope.NONE, poweroff=Scope.NONE)
    (finding,) = found(host(guest(info=UNSAVABLE), config=Config(shutdown=nothing)))
    assert (finding.check, finding.severity) == ("no-way-down", Severity.ERROR)
    assert "(it has a host device)" in finding.text
    (finding,) = found(host(guest(memory=GIB), config=Config(shutdown=nothing), room={URI: 0}))[:1]
    assert finding.check == "no-way-down"


def test_guests_of_other_managers_are_a_note() -> None:
    (finding,) = found(host(guest(info=DomainInfo(manager="oVirt")), guest("db", 2)))[:1]
    assert (finding.check, finding.severity) == ("others-guests", Severity.NOTE)
    assert finding.text == f"oVirt starts these guests of {URI}, and guestctl does not: web"


def test_transient_guests_are_a_note() -> None:
    found_of = {it.check: it for it in found(host(guest(persistent=False)))}
    assert found_of["transient"].severity is Severity.NOTE
    assert found_of["transient"].text.endswith("nobody brings them back: web")


def test_circles_are_named() -> None:
    config = Config(order=Order(after=("a", "b")))
    (finding,) = found(host(guest("a"), guest("b", 2), config=config))
    assert (finding.check, finding.command) == ("order", "guestctl check")
    assert "in a circle: a after b after a" in finding.text


# Agents


@pytest.mark.parametrize(
    ("shutdown", "check"),
    [
        (BY_AGENT, "agent-fallback"),
        (replace(BY_AGENT, save=Scope.NONE), "agent-alone"),
        (Shutdown(save=Scope.NONE), "agent-silent"),
        (Shutdown(), None),
        (Shutdown(save=Scope.NONE, methods=(Method.ACPI,)), None),
        (replace(BY_AGENT, save=Scope.NONE, shutdown=Scope.NONE), None),
    ],
)
def test_agents_that_do_not_answer(shutdown: Shutdown, check: str | None) -> None:
    names = [it.check for it in found(host(guest(), config=Config(shutdown=shutdown)))]
    assert names == ([check] if check else [])
    answers = guest(info=DomainInfo(has_agent=True))
    assert found(host(answers, config=Config(shutdown=shutdown))) == []


def test_the_evidence_is_the_channel() -> None:
    config = Config(shutdown=replace(BY_AGENT, save=Scope.NONE))
    without, with_one = found(host(guest("web"), guest("agent", 2), config=config))[::-1]
    assert without.evidence == ("its definition has no channel org.qemu.guest_agent.0",)
    assert with_one.evidence == ("its definition has a channel org.qemu.guest_agent.0",)


def test_a_gate_that_cannot_open() -> None:
    config = Config(order=Order(ready=(AgentAnswers(),)))
    (finding,) = found(host(guest("web"), guest("agent", 2), config=config))
    assert (finding.check, finding.name) == ("agent-gate", "web")
