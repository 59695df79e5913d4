"""So many guests are shutting down at a time, as their consoles tell; and no limit but the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon
from tests.testbed.witness import Witness

from .support import by_name, cleared, fresh, override, running, steps, trail

pytestmark = pytest.mark.guests

FIVE = [f"g{number}" for number in range(1, 6)]
#: By its name the first to be asked.
HANGS = "a hangs"
TWO = '[shutdown]\nsave = "none"\nparallel-shutdowns = 2\n'


@pytest.fixture(scope="module")
def five(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """A daemon without other guests."""
    with cleared(daemon):
        yield daemon


@pytest.fixture(autouse=True)
def up(five: SessionDaemon) -> None:
    for name in FIVE:
        running(five, GuestSpec(name, button="slow:2"))


def witness(daemon: SessionDaemon, *names: str) -> Witness:
    return Witness({name: daemon.console(name) for name in names})


def most_at_a_time(seen: Witness, names: list[str]) -> int:
    """How many had been asked, and were not through, as any of them was asked."""
    spans = [(seen.place(name, "press"), seen.place(name, "bye")) for name in names]
    return max(sum(begun <= asked < bye for begun, bye in spans) for asked, _ in spans)


def test_of_five_never_more_than_two_are_asked(five: SessionDaemon) -> None:
    guestctl = fresh(five, TWO)
    with witness(five, *FIVE) as seen:
        result = by_name(guestctl.json("shutdown", "--preserve"))
    assert [steps(result[name]) for name in FIVE] == [{"shutdown": "done"}] * 5
    assert most_at_a_time(seen, FIVE) == 2


def test_one_that_hangs_leaves_its_place_as_its_time_is_over(five: SessionDaemon) -> None:
    running(five, GuestSpec(HANGS, button="ignore"))
    config = '[shutdown]\nsave = "none"\nparallel-shutdowns = 1\n'
    guestctl = fresh(five, config + override(HANGS, 'shutdown-timeout = "4s"'))
    with witness(five, *FIVE) as seen:
        result = by_name(guestctl.json("shutdown", "--preserve"))
    assert steps(result[HANGS]) == {"shutdown": "timed out", "poweroff": "done"}
    assert most_at_a_time(seen, FIVE) == 1
    assert not any("given up" in text for name in FIVE for text in trail(guestctl, name))


def test_where_little_time_is_left_all_are_asked_at_once(five: SessionDaemon) -> None:
    """One that hangs, without a limit of its own, keeps the only place until then."""
    running(five, GuestSpec(HANGS, button="ignore"))
    config = '[shutdown]\nsave = "none"\nparallel-shutdowns = 1\nshutdown-timeout = "infinity"\n'
    guestctl = fresh(five, config)
    plan = by_name(guestctl.json("plan", "--within", "1min"))
    assert all(step["timeout"] <= 60 for guest in plan.values() for step in guest["steps"])
    result = by_name(guestctl.json("shutdown", "--preserve", "--within", "1min"))
    assert steps(result[HANGS]) == {"shutdown": "timed out", "poweroff": "done"}
    assert [steps(result[name]) for name in FIVE] == [{"shutdown": "done"}] * 5
    assert max(guest["seconds"] for guest in result.values()) < 60
    given_up = "parallel-shutdowns is given up"
    assert any(text.startswith(given_up) for name in FIVE for text in trail(guestctl, name))
