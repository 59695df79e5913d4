"""Guests come to safety also where the service that was asked for it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Timer
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.control import actions, bus_acting, following_run
from guestctl.control.failure import RequestError, ServiceLost
from guestctl.control.local import Local
from guestctl.control.requests import Down, Shown
from guestctl.control.steadfast import Steadfast
from guestctl.host import machine
from guestctl.model.plan import RunKind
from guestctl.model.report import RunEvent
from guestctl.model.result import RunResult
from tests.unit.fake_guestctl import PATH, STORY, FakeGuestctl, Served, served
from tests.unit.makers import URI
from tests.unit.private_bus import Answer, PrivateBus

HERE = RunResult(RunKind.PRESERVE, 2, ())
PRESERVE = Down(RunKind.PRESERVE, [], time.monotonic(), within=300.0)
IN_USE = "org.freedesktop.DBus.Error.LimitsExceeded"


@pytest.fixture
def service(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service that begins a run, and tells of it what it is told to."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    monkeypatch.setattr(bus_acting, "ROOTS_RUN", 0.3)
    monkeypatch.setattr(following_run, "_PAUSE", 0.02)
    monkeypatch.setattr(following_run, "_runs", lambda: False)
    with served(bus) as there:
        yield there


@pytest.fixture
def begun_here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Local, Down]]:
    """What this process was to do itself, as root."""
    begun: list[tuple[Local, Down]] = []

    def take_down(local: Local, request: Down, shown: Shown) -> RunResult:
        begun.append((local, request))
        return HERE

    monkeypatch.setattr(actions, "take_down", take_down)
    monkeypatch.setattr(machine, "is_root", lambda: True)
    return begun


class Asker:
    """Who asks for runs, what it is told of them, and what it complains of."""

    def __init__(self) -> None:
        self.told: list[RunEvent] = []
        self.said: list[str] = []

    def take_down(self, request: Down = PRESERVE) -> RunResult:
        client = Steadfast(Config(), (URI,), self.said.append, makeshift=True)
        return client.take_down(request, Shown(self.told.append))


def ends_in_mid_run(service: Served) -> None:
    """It is killed once the run has begun to tell of itself."""

    def begin_and_die(fake: FakeGuestctl) -> None:
        fake.tell(STORY[0])
        fake.leave()

    Timer(0.3, lambda: service.do(begin_and_die)).start()


def is_full(service: Served) -> None:
    """Others have all its calls."""
    service.service.refuse("Preserve", IN_USE, "128 calls are under way")


def hangs(service: Served) -> None:
    """It has taken the call, and its loop does nothing more for a while."""

    def hang(_: list[Any]) -> Answer:
        time.sleep(1)
        return "o", [PATH], []

    service.service.methods["Preserve"] = hang


@pytest.mark.parametrize("lose", [ends_in_mid_run, is_full, hangs])
def test_this_process_takes_guests_to_safety_where_the_service_does_not(
    service: Served, begun_here: list[tuple[Local, Down]], lose: Callable[[Served], None]
) -> None:
    asker = Asker()
    lose(service)
    assert asker.take_down() is HERE
    ((local, request),) = begun_here
    assert request is PRESERVE  # with the moment at which the command was given
    assert (local.uris, local.makeshift) == ((URI,), True)
    assert asker.said[-1].endswith("; this process goes on")


def test_whoever_may_not_act_here_is_told(
    service: Served, begun_here: list[tuple[Local, Down]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "is_root", lambda: False)
    is_full(service)
    with pytest.raises(ServiceLost):
        Asker().take_down()
    assert begun_here == []


def test_guests_that_are_to_be_off_can_wait(
    service: Served, begun_here: list[tuple[Local, Down]]
) -> None:
    service.service.refuse("Shutdown", IN_USE, "128 calls are under way")
    with pytest.raises(ServiceLost):
        Asker().take_down(Down(RunKind.SHUTDOWN, ["web"], time.monotonic()))
    assert begun_here == []


def test_a_refusal_is_one(service: Served, begun_here: list[tuple[Local, Down]]) -> None:
    service.service.refuse("Preserve", "org.guestctl1.Error.Locked", "another run has the lock")
    with pytest.raises(RequestError, match="another run has the lock"):
        Asker().take_down()
    assert begun_here == []


def test_what_the_service_does_is_done_once(
    service: Served, begun_here: list[tuple[Local, Down]]
) -> None:
    service.service.at_once = True
    asker = Asker()
    assert asker.take_down().run == 1
    assert asker.told == STORY
    assert begun_here == []
