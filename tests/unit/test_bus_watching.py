"""What happens to guests, as the service tells it, whatever becomes of the service meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from guestctl.control import bus_watching
from guestctl.control.requests import RequestError
from guestctl.control.service_on_bus import reached
from tests.unit.fake_guestctl import Served, served
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async


@pytest.fixture
def service(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    with served(bus) as there:
        yield there


@pytest.fixture
def said() -> list[str]:
    return []


STARTED = {"at": 1, "name": "web", "event": "started", "detail": "booted", "by_guest": None}
JUDGED = {"at": 2, "name": "web", "source": "guestctl", "reason": "r", "verdict": None}


def test_what_happens_to_guests(service: Served, said: list[str]) -> None:
    lines: list[dict[str, Any]] = []

    def subscribed(_: list[Any]) -> tuple[str, list[Any], list[int]]:
        for line in (STARTED, JUDGED):
            service.service.emit("Happened", "s", json.dumps(line))
        return "", [], []

    service.service.methods["Subscribe"] = subscribed

    def show(line: dict[str, Any]) -> bool:
        lines.append(line)
        return len(lines) < 2

    bus_watching.watch(show, said.append)
    assert lines == [STARTED, JUDGED]
    assert said == ["connected to the service"]


def test_watching_goes_on_with_another_service(
    service: Served, bus: PrivateBus, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First nobody has the name, then it comes back."""
    monkeypatch.setattr(bus_watching, "PAUSE", 0.02)
    gone = "org.guestctl1 is not on the bus; trying again"

    def leave_and_come_back() -> None:
        service.do(lambda it: it.leave())
        while gone not in said:
            time.sleep(0.01)
        service.come_back(bus)

    back = threading.Thread(target=leave_and_come_back)

    def subscribed(_: list[Any]) -> tuple[str, list[Any], list[int]]:
        if back.ident is None:
            back.start()
        else:
            service.service.emit("Happened", "s", json.dumps(STARTED))
        return "", [], []

    service.service.methods["Subscribe"] = subscribed
    bus_watching.watch(lambda _line: False, said.append)
    back.join()
    assert [text for text in said if text != gone] == [
        "connected to the service",
        "the connection to the service broke; trying again",
        "connected to the service",
    ]
    assert said.count(gone) == 1


def test_a_service_that_just_comes_is_not_lost(bus: PrivateBus, service: Served) -> None:
    """Its name may be news on a connection that is made at that moment."""
    service.do(lambda it: it.leave())
    heard: list[str] = []

    async def work() -> None:
        async with reached() as there, there.heard(lambda: heard.append("lost")):
            await asyncio.to_thread(service.come_back, bus)
            assert await there.value("Version")
            assert heard == []
            await asyncio.to_thread(service.do, lambda it: it.leave())
            await until(lambda: heard == ["lost"])

    run_async(work())


@pytest.mark.parametrize("missing", STARTED)
def test_a_line_that_could_not_be_shown(service: Served, said: list[str], missing: str) -> None:
    line = {key: value for key, value in STARTED.items() if key not in (missing, "uuid", "uri")}

    def subscribed(_: list[Any]) -> tuple[str, list[Any], list[int]]:
        service.service.emit("Happened", "s", json.dumps(line))
        return "", [], []

    service.service.methods["Subscribe"] = subscribed
    with pytest.raises(RequestError, match="cannot be read"):
        bus_watching.watch(lambda _line: False, said.append)
