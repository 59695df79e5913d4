"""By whichever orderly door a host goes down: its guests are safe, and back after the boot."""

from __future__ import annotations

import pytest

from tests.host.stage import DOZEN, IGNORES, NAMES, SAVED, SLOW
from tests.host.support import (
    boots_of,
    lived_once,
    newest_run,
    newest_tick,
    wait_restored,
    went_on,
)
from tests.testbed.console import boots
from tests.testbed.doors import DOORS, Door, pass_through
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

SAFE = {
    **{spec.name: "saved" for spec in SAVED},
    SLOW.name: "shut-down",
    IGNORES.name: "powered-off",
}
BACK = {
    **{spec.name: "resumed" for spec in SAVED},
    SLOW.name: "started",
    IGNORES.name: "started",
}


@pytest.fixture
def door(request: pytest.FixtureRequest, suite: str) -> Door:
    """The door, where that generation has it."""
    door: Door = request.param
    if suite not in door.suites:
        pytest.skip(f"{suite} has no {door.command}")
    return door


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.command, indirect=True)
def test_all_are_back(door: Door, host: Host) -> None:
    ticks = {name: newest_tick(host, name) for name in NAMES}
    lives = {name: len(boots(host.console(name))) for name in NAMES}
    pass_through(host, door)
    wait_restored(host)

    assert outcomes(host, "preserve") == SAFE
    assert outcomes(host, "restore") == BACK
    for spec in SAVED:
        assert went_on(host, spec.name, ticks[spec.name])
    for spec in (SLOW, IGNORES):
        assert len(boots_of(host, spec.name)) == lives[spec.name] + 1
    assert all(lived_once(host, spec.name) for spec in DOZEN)


def outcomes(host: Host, kind: str) -> dict[str, str]:
    """How each guest came out of the newest run of that kind."""
    guests = newest_run(host, kind=kind)["guests"]
    return {name: guest["outcome"] for name, guest in guests.items()}
