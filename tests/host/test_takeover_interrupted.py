"""A takeover and a handback are told to end, or killed, at each of their steps: nobody minds."""

from __future__ import annotations

import pytest

from tests.host.conftest import NewHost
from tests.host.held_systemctl import HeldSystemctl
from tests.host.support import lived_once
from tests.host.taking_over import (
    NAMES,
    assert_lived_on,
    is_guestctls,
    is_libvirt_guests,
    record,
    ticks,
    under_libvirt_guests,
)
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts


def test_told_to_end_and_killed_at_each_step(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    under_libvirt_guests(host, NAMES)
    before, held = ticks(host, NAMES), HeldSystemctl(host)
    told_to_end(host, held)
    killed_while_taking_over(host, held)
    killed_while_handing_back(host, held)
    assert_lived_on(host, before)
    assert all(lived_once(host, name) for name in NAMES)


TAKEOVER, HANDBACK = "guestctl takeover", "guestctl handback"


def points(calls: int) -> list[str]:
    """Of the calls of a command that change something."""
    assert calls >= 5
    return [f"{when} {call}" for call in range(1, calls + 1) for when in ("before", "after")]


def told_to_end(host: Host, held: HeldSystemctl) -> None:
    """All that was done is undone."""
    for point in half_of(points(held.calls_of(TAKEOVER))):
        host.run(HANDBACK)
        assert is_libvirt_guests(host), point
        assert held.end_at(TAKEOVER, point, "INT") == 130
        assert is_libvirt_guests(host), point


def killed_while_taking_over(host: Host, held: HeldSystemctl) -> None:
    """It goes on when it is asked for again, or is handed back from there."""
    for point, goes_on in by_turns(points(held.calls_of(TAKEOVER))):
        host.run(HANDBACK)
        held.end_at(TAKEOVER, point, "KILL")
        assert record(host)["complete"] is False
        if goes_on:
            host.run(TAKEOVER, timeout=120)
            assert is_guestctls(host), point
        host.run(HANDBACK)
        assert is_libvirt_guests(host), point


def killed_while_handing_back(host: Host, held: HeldSystemctl) -> None:
    host.run(TAKEOVER, timeout=120)
    for point, goes_on in by_turns(points(held.calls_of(HANDBACK))):
        host.run(TAKEOVER, timeout=120)
        held.end_at(HANDBACK, point, "KILL")
        host.run(HANDBACK if goes_on else TAKEOVER, timeout=120)
        is_right = is_libvirt_guests if goes_on else is_guestctls
        assert is_right(host), point


def half_of(points: list[str]) -> list[str]:
    """At each call one."""
    return [point for point, chosen in by_turns(points) if chosen]


def by_turns(points: list[str]) -> list[tuple[str, bool]]:
    """Before a call and after it by turns, beginning with another one at each call: what comes then
    goes by what was on, which both see."""
    return [(point, (number + number // 2) % 2 == 0) for number, point in enumerate(points)]
