"""The service's run that goes on, over the bus: it is shown, and it is ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from guestctl.config.config import Config
from guestctl.control.client import Client
from guestctl.control.over_bus import OverBus
from guestctl.control.requests import Failure, RequestError
from guestctl.host import machine
from guestctl.model.history import Actor
from tests.unit.fake_guestctl import RESULT, STORY, Served, served
from tests.unit.makers import URI
from tests.unit.private_bus import PrivateBus
from tests.unit.test_over_bus import shown


@pytest.fixture
def service(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    monkeypatch.setattr(sys, "argv", ["guestctl", "cancel"])
    with served(bus) as there:
        yield there


@pytest.fixture
def client() -> Client:
    return OverBus(Config(), (URI,), print)


def test_attaching_and_cancelling(service: Served, client: Client) -> None:
    to, told = shown()
    assert client.attach(to) is None
    assert client.cancel(to, mine=False) is None
    service.do(lambda it: it.begin())
    for event in STORY:
        service.service.tell(event, aloud=False)
    assert client.attach(to) == RESULT
    assert told == STORY
    assert "Cancel" not in service.service.calls
    assert client.cancel(to, mine=False) == RESULT
    assert "Cancel" in service.service.calls


@pytest.mark.parametrize(
    ("user", "origin", "whose"),
    [
        ("alice", "ours", "alice on ours: guestctl shed"),
        ("me", "pts/77", "me on pts/77: guestctl shed"),
        ("", "", "nobody asked for it"),
    ],
)
def test_only_ones_own_run_is_cancelled(
    service: Served,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    origin: str,
    whose: str,
) -> None:
    monkeypatch.setattr(machine, "actor", lambda command: Actor("me", "ours", command))
    service.do(lambda it: it.begin())
    for event in STORY:
        service.service.tell(event, aloud=False)
    service.service.is_asked_for_by(user, origin, "guestctl shed")
    with pytest.raises(RequestError, match=f"is not yours: {whose}") as caught:
        client.cancel(shown()[0], mine=True)
    assert caught.value.failure is Failure.NOT_ALL_WELL
    assert "Cancel" not in service.service.calls
    service.service.is_asked_for_by("me", "ours", "guestctl shed")
    assert client.cancel(shown()[0], mine=True) == RESULT
    assert "Cancel" in service.service.calls
