"""A guest whose disk comes after its first start has failed, and who need not wait for that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testbed import console
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .support import begins, cleared, fresh, launch, outcome, trail

pytestmark = pytest.mark.guests

LATE, OTHER = "a late", "b other"
#: One start at a time, and long enough until the last of them.
ONE_AT_A_TIME = "[boot]\nparallel = 1\nretries = 50\n"


@pytest.fixture
def guests(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """A daemon with both, neither of which runs."""
    with cleared(daemon):
        yield daemon


def test_a_disk_comes_after_the_first_failure(guests: SessionDaemon) -> None:
    disk = guests.folder / "late.raw"
    for spec in (GuestSpec(LATE, disk=disk), GuestSpec(OTHER)):
        guests.define(spec)
    guestctl = fresh(guests, ONE_AT_A_TIME)
    child = launch(guestctl, "start", LATE, OTHER)
    said = begins(child, f"{OTHER}: started")
    assert f"{LATE}: start" in said
    assert guests.state(LATE) == "shut off"
    guests.run(["truncate", "-s", "1M", str(disk)])
    assert f"{LATE}: started" in outcome(child)
    console.wait_for_tick(guests.console(LATE))
    assert trail(guestctl, LATE)[-1] == "start done"
