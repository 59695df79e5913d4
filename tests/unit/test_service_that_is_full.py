"""Beside a flood of others' calls, who reads is answered a little later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from guestctl.control import service_on_bus
from guestctl.control.failure import ServiceLost
from guestctl.control.service_on_bus import ask_service
from tests.unit.fake_guestctl import Served, served
from tests.unit.private_bus import Answer, PrivateBus, Refusal

FULL = "org.freedesktop.DBus.Error.LimitsExceeded"


@pytest.fixture
def service(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """One that is asked again soon."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    monkeypatch.setattr(service_on_bus, "_FULL_PAUSE", 0.01)
    with served(bus) as there:
        yield there


def refuse_first(service: Served, member: str, times: int, *answer: Any) -> list[str]:
    """Have the first calls of a method refused for want of room; those that came."""
    came: list[str] = []

    def method(_: list[Any]) -> Answer:
        came.append(member)
        if len(came) <= times:
            raise Refusal(FULL)
        signature, *values = answer
        return signature, values, []

    service.service.methods[member] = method
    return came


def test_who_reads_comes_again(service: Served) -> None:
    came = refuse_first(service, "GetHistory", 3, "sas", "[]", [])
    assert ask_service(lambda it: it.ask("GetHistory", 1, [], "")) == ["[]", []]
    assert len(came) == 4


def test_but_not_for_ever(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_on_bus, "FULL_LIMIT", 0.05)
    refuse_first(service, "GetHistory", 10_000)
    with pytest.raises(ServiceLost, match="no more calls just now"):
        ask_service(lambda it: it.ask("GetHistory", 1, [], ""))


def test_nothing_that_acts_is_asked_for_twice(service: Served) -> None:
    came = refuse_first(service, "Start", 10_000)
    with pytest.raises(ServiceLost, match="no more calls just now"):
        ask_service(lambda it: it.ask("Start", [], {}))
    assert len(came) == 1
