"""Guests that depend on one another: down and up in their order, as consoles and QEMUs tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testbed.guests import GuestSpec
from tests.testbed.processes import start_time
from tests.testbed.session import SessionDaemon
from tests.testbed.witness import Witness

from .support import by_name, cleared, fresh, listed, override, running, steps, trail

pytestmark = pytest.mark.guests

WEB, DB, NAS, HANGS = "web", "db", "nas", "hangs"
CHAIN = override(WEB, 'after = ["d*"]') + override(DB, f'requires = ["{NAS}"]')
NO_SAVES = '[shutdown]\nsave = "none"\n'
#: At that rate a save of such a guest takes some seconds.
SLOWLY = 25_000_000


@pytest.fixture(scope="module")
def chain(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """A daemon without other guests."""
    with cleared(daemon):
        yield daemon


@pytest.fixture(autouse=True)
def up(chain: SessionDaemon) -> None:
    """The three guests run; the last to be asked would be the first to be down."""
    for spec in (GuestSpec(WEB, button="slow:3"), GuestSpec(DB, button="slow:2"), GuestSpec(NAS)):
        running(chain, spec)


def witness(daemon: SessionDaemon) -> Witness:
    return Witness({name: daemon.console(name) for name in (WEB, DB, NAS)})


def test_a_chain_goes_down_and_comes_up_in_its_order(chain: SessionDaemon) -> None:
    guestctl = fresh(chain, NO_SAVES + CHAIN)
    with witness(chain) as down:
        guestctl.json("shutdown", "--preserve")
    assert down.place(WEB, "bye") < down.place(DB, "press")
    assert down.place(DB, "bye") < down.place(NAS, "press")
    result = by_name(guestctl.json("start"))
    assert {guest["outcome"] for guest in result.values()} == {"started"}
    begun = [int(start_time(chain.qemu_pid(name))) for name in (NAS, DB, WEB)]
    assert begun == sorted(begun)


def test_saves_go_side_by_side_all_the_same(slow: SessionDaemon) -> None:
    with cleared(slow):
        slow.set_save_rate(0)
        for name in (WEB, DB, NAS):
            slow.start(GuestSpec(name))
        guestctl = fresh(slow, CHAIN)
        slow.set_save_rate(SLOWLY)
        result = guestctl.json("shutdown", "--preserve")
        slow.set_save_rate(0)
        guests = by_name(result).values()
        assert [steps(guest) for guest in guests] == [{"save": "done"}] * 3
        whole = max(guest["seconds"] for guest in guests)
        assert sum(guest["steps"][0]["seconds"] for guest in guests) > 2 * whole


def test_one_that_hangs_gives_way_in_time(chain: SessionDaemon) -> None:
    """What it depends on gets its own steps, and says why the order was given up."""
    chain.start(GuestSpec(HANGS, button="ignore"))
    guestctl = fresh(chain, NO_SAVES + override(HANGS, f'after = ["{NAS}"]'))
    result = by_name(guestctl.json("shutdown", "--preserve", "--within", "40s"))
    assert steps(result[NAS]) == {"shutdown": "done"}
    assert steps(result[HANGS])["poweroff"] == "done"
    given_up = f"its order is given up: no time is left to wait for {HANGS}"
    assert given_up in trail(guestctl, NAS)


def test_one_whose_requirement_does_not_come_up_is_not_started(chain: SessionDaemon) -> None:
    guestctl = fresh(chain, NO_SAVES + CHAIN)
    guestctl.json("shutdown", "--preserve")
    guestctl.run("hold", NAS, "--reason", "its disks are being replaced")
    result = by_name(guestctl.json("start", status=1))
    assert result[DB]["outcome"] == "skipped"
    assert result[DB]["reason"] == "it requires nas, not up yet"
    assert result[WEB]["outcome"] == "started"
    assert "goes on without db, not up yet" in trail(guestctl, WEB)
    assert listed(guestctl, DB)["wanted"] == "on"
    guestctl.run("release", NAS)
    again = by_name(guestctl.json("start"))
    assert [again[name]["outcome"] for name in (DB, NAS)] == ["started", "started"]
