"""A takeover and a handback are told to end, or killed, at each of their steps: nobody minds."""

from __future__ import annotations

from itertools import zip_longest

import pytest

from tests.host import doctor
from tests.host.conftest import NewHost
from tests.host.held_systemctl import HeldSystemctl
from tests.host.support import lived_once
from tests.host.taking_over import (
    assert_lived_on,
    is_guestctls,
    is_libvirt_guests,
    record,
    ticks,
    under_libvirt_guests,
)
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts


TAKEOVER, HANDBACK = "guestctl takeover", "guestctl handback"
#: A few, since none of the steps is about one guest: how many there are is test_takeover's.
NAMES = ["one", "two", "three"]


def test_told_to_end_and_killed_at_each_step(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    under_libvirt_guests(host, NAMES)
    before, held = ticks(host, NAMES), HeldSystemctl(host)
    there, back = points(held.calls_of(TAKEOVER)), points(held.calls_of(HANDBACK))
    for point in there[::3]:
        told_to_end(host, held, point)
    turns = zip_longest(by_turns(there), by_turns(back))
    for number, (taking, handing) in enumerate(turns):
        goes_on = number % 4 in (0, 3)
        killed_while_taking_over(host, held, taking, goes_on=goes_on)
        killed_while_handing_back(host, held, handing, goes_on=goes_on)
    assert_lived_on(host, before)
    assert all(lived_once(host, name) for name in NAMES)


def points(calls: int) -> list[str]:
    """Of the calls of a command that change something."""
    assert calls >= 5
    return [f"{when} {call}" for call in range(1, calls + 1) for when in ("before", "after")]


def by_turns(points: list[str]) -> list[str]:
    """One for each call, before it and after it by turns; all of them took a quarter of an hour."""
    return [it for number, it in enumerate(points) if (number + number // 2) % 2 == 0]


def told_to_end(host: Host, held: HeldSystemctl, point: str) -> None:
    """All that was done is undone."""
    assert held.end_at(TAKEOVER, point, "INT") == 130
    assert is_libvirt_guests(host), point


def killed_while_taking_over(
    host: Host, held: HeldSystemctl, point: str | None, *, goes_on: bool
) -> None:
    """It goes on when it is asked for again, or is handed back from there."""
    if point is not None:
        held.end_at(TAKEOVER, point, "KILL")
        assert record(host)["complete"] is False
        assert doctor.found(host, "takeover-cut-off")["command"] == TAKEOVER
        if not goes_on:
            host.run(HANDBACK, timeout=120)
            assert is_libvirt_guests(host), point
    host.run(TAKEOVER, timeout=120)
    assert is_guestctls(host), point
    assert "takeover-cut-off" not in doctor.checks(host)


def killed_while_handing_back(
    host: Host, held: HeldSystemctl, point: str | None, *, goes_on: bool
) -> None:
    """The same, the other way round."""
    if point is not None:
        held.end_at(HANDBACK, point, "KILL")
        if not goes_on:
            host.run(TAKEOVER, timeout=120)
            assert is_guestctls(host), point
    host.run(HANDBACK, timeout=120)
    assert is_libvirt_guests(host), point
