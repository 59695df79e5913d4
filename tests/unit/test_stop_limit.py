"""After how long systemd forces a stop of the host: over a real bus."""

from __future__ import annotations

import time
from math import inf
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.settings import FORCED, LONGEST_STOP
from guestctl.decisions.budget import Budget, before_force
from guestctl.host import stop_limit
from guestctl.host.bus_values import Variant
from guestctl.model.host_units import StopLimit
from tests.unit.private_bus import FakeSystemd, PrivateBus, Refusal, open_fds
from tests.unit.running import run_async

STARTED, BOOTED = "ShutdownStartTimestampMonotonic", "UserspaceTimestampMonotonic"


class Targets(FakeSystemd):
    """systemd with this limit on each target, in microseconds.

    begun: how many seconds ago it began to stop units; 0 where it has not, None where it does not
    tell, as 252.  booted: how many seconds ago the host's user space came up.
    """

    def __init__(self, limit: int, begun: float | None = None, booted: float = 9000.0) -> None:
        super().__init__("stopping")
        self.loaded: list[str] = []
        self.methods["LoadUnit"] = self._load
        self.properties["JobTimeoutUSec"] = Variant("t", limit)
        if begun is not None:
            at = _ago(begun) if begun else 0
            self.properties[STARTED] = Variant("t", at)
        self.properties[BOOTED] = Variant("t", _ago(booted))

    def _load(self, body: list[Any]) -> tuple[str, list[Any], list[int]]:
        self.loaded += body
        return "o", ["/unit"], []

    def _get(self, body: list[Any]) -> tuple[str, list[Any], list[int]]:
        if body[1] not in self.properties:
            raise Refusal("org.freedesktop.DBus.Error.UnknownProperty", body[1])
        return super()._get(body)


def _ago(seconds: float) -> int:
    """In microseconds of the monotonic clock, of which a test's host may have few."""
    return max(1, int((time.monotonic() - seconds) * 1e6))


async def ask(bus: PrivateBus, fake: FakeSystemd) -> StopLimit | None:
    await fake.connect(bus.address)
    before = open_fds()
    try:
        return await stop_limit.limit_of_stop("poweroff", bus.address)
    finally:
        assert open_fds() == before
        fake.leave()


@pytest.mark.parametrize("limit", [0, 2**64 - 1])
def test_a_target_without_a_limit(bus: PrivateBus, limit: int) -> None:
    fake = Targets(limit)
    assert run_async(ask(bus, fake)) == StopLimit("poweroff.target", inf)
    assert fake.loaded == ["poweroff.target"]


@pytest.mark.parametrize("begun", [None, 0.0, 7200.0])
def test_nobody_tells_since_when_units_are_stopped(bus: PrivateBus, begun: float | None) -> None:
    """systemd 252, a stop that is announced alone, and one that was another."""
    found = run_async(ask(bus, Targets(40_000_000, begun)))
    assert found == StopLimit("poweroff.target", 40.0)


def test_units_are_being_stopped_for_a_while(bus: PrivateBus) -> None:
    found = run_async(ask(bus, Targets(40_000_000, 12.0)))
    assert found is not None
    assert found.seconds == 40.0
    assert 12.0 <= found.gone < 14.0


def test_units_were_stopped_before_a_soft_reboot(bus: PrivateBus) -> None:
    """systemd keeps that time over it: the next stop, announced soon, has all of its time."""
    found = run_async(ask(bus, Targets(40_000_000, 12.0, booted=10.0)))
    assert found == StopLimit("poweroff.target", 40.0)


def test_an_answer_in_another_form_is_none(bus: PrivateBus) -> None:
    fake = Targets(0)
    fake.properties["JobTimeoutUSec"] = Variant("s", "30min")
    assert run_async(ask(bus, fake)) is None


def test_a_systemd_that_is_silent_or_gone(
    bus: PrivateBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_limit, "BUS_LIMIT", 0.1)
    assert run_async(ask(bus, FakeSystemd())) is None
    nobody = stop_limit.limit_of_stop("reboot", f"unix:path={tmp_path}/none")
    assert run_async(nobody) is None


# What of it is for guests


@pytest.mark.parametrize(
    ("limit", "has"),
    [(FORCED, LONGEST_STOP), (720.0, 540.0), (120.0, 90.0), (40.0, 25.0), (15.0, 0.0), (5.0, 0.0)],
)
def test_what_is_for_guests(limit: float, has: float) -> None:
    assert before_force(limit) == has


def test_what_is_kept_for_the_steps_after_a_save() -> None:
    assert Budget(1200.0).last_steps(90.0) == 30 + 90 + 30
    assert Budget(100.0).last_steps(90.0) == 10 + 25 + 30
