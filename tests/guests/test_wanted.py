"""Who is brought back: what was on when the host went down, and nobody turned off or held."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Guestctl
from tests.testbed import console
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import outcomes
from .support import by_name, cleared, fresh, last_tick, listed, trail, went_on

pytestmark = pytest.mark.guests

# The tests below share them, and come in an order that needs few boots.
HELD, TURNED_OFF, STOPPED = NAMES = ("held", "turned off", "stopped by virsh")


@pytest.fixture(scope="module")
def guests(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """A few guests that run."""
    with cleared(daemon):
        daemon.start_all([GuestSpec(name) for name in NAMES])
        yield daemon


def resumed(guests: SessionDaemon, name: str) -> str:
    """The guest, running again after whatever a test before did to it."""
    if guests.state(name) != "running":
        guests.start_again(name)
    return name


def test_held_is_preserved_but_not_started(guests: SessionDaemon, guestctl: Guestctl) -> None:
    name = resumed(guests, HELD)
    before = last_tick(guests, name)
    guestctl.run("hold", "--reason", "looks odd <&>", name)
    assert listed(guestctl, name)["held"].endswith(": looks odd <&>")
    down = guestctl.json("shutdown", "--preserve", name)
    assert by_name(down)[name]["outcome"] == "saved"
    assert listed(guestctl, name)["next_boot"] == "held"
    for arguments in ((), (name,)):
        up = guestctl.json("start", *arguments, status=1)
        assert by_name(up)[name]["outcome"] == "held"
        assert by_name(up)[name]["reason"].endswith(": looks odd <&>")
    guestctl.run("release", name)
    assert by_name(guestctl.json("start"))[name]["outcome"] == "resumed"
    assert went_on(guests, name, before)


def only_named(guestctl: Guestctl) -> dict[str, str]:
    """What a start does: it names guests with a save of which nothing is known, and ends with 1."""
    return outcomes(guestctl.json("start", status=1))


def test_a_second_ledger_is_another_host(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """What one ledger owes a guest is nothing to one that never saw it."""
    name = resumed(guests, HELD)
    guestctl.run("shutdown", "--preserve", name)
    assert only_named(fresh(guests)) == {name: "held"}
    assert by_name(guestctl.json("start"))[name]["outcome"] == "resumed"


def test_unknown_guest_is_refused_and_nobody_is_touched(
    guests: SessionDaemon, guestctl: Guestctl
) -> None:
    name = resumed(guests, HELD)
    refused = guestctl.run("shutdown", "--preserve", name, "no such guest", status=2)
    assert 'cannot find "no such guest"' in refused.stderr
    assert guests.state(name) == "running"


def test_cold_boot_after_the_save_was_removed(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """An administrator decided about the save; that the guest is wanted on still holds."""
    name = resumed(guests, HELD)
    guestctl.run("shutdown", "--preserve", name)
    guests.virsh("managedsave-remove", guests.id_of(name))
    assert listed(guestctl, name)["next_boot"] == "start"
    assert by_name(guestctl.json("start"))[name]["outcome"] == "started"


def test_shut_down_on_purpose_stays_down(guests: SessionDaemon, guestctl: Guestctl) -> None:
    name = resumed(guests, TURNED_OFF)
    down = guestctl.json("shutdown", name)
    assert by_name(down)[name]["outcome"] == "shut-down"
    row = listed(guestctl, name)
    assert (row["wanted"], row["stopped_by"]) == ("off", "operator")
    assert row["next_boot"] == "stay-down"
    assert name not in by_name(guestctl.json("start"))
    assert guests.state(name) == "shut off"
    assert by_name(guestctl.json("start", name))[name]["outcome"] == "started"
    row = listed(guestctl, name)
    assert (row["wanted"], row["stopped_by"]) == ("on", None)


def test_a_shutdown_is_undone_for_just_its_guests(
    guests: SessionDaemon, guestctl: Guestctl
) -> None:
    """After `shutdown --all`, `start` found nobody."""
    name, other = resumed(guests, TURNED_OFF), resumed(guests, HELD)
    before = guestctl.json("shutdown", other)
    down = guestctl.json("shutdown", name)
    assert guestctl.json("start")["guests"] == []
    up = guestctl.json("start", "--run", str(down["run"]))
    assert {guest["name"]: guest["outcome"] for guest in up["guests"]} == {name: "started"}
    assert guests.state(other) == "shut off"
    assert (
        by_name(guestctl.json("start", "--run", str(before["run"])))[other]["outcome"] == "started"
    )


def test_released_it_is_wanted_on_again(guests: SessionDaemon, guestctl: Guestctl) -> None:
    name = resumed(guests, TURNED_OFF)
    guestctl.json("shutdown", "--reason", "its licence ran out", name)
    row = listed(guestctl, name)
    assert (row["stopped_by"], row["stopped_how"], row["certainty"]) == (
        "operator",
        "shut down",
        "observed",
    )
    guestctl.run("release", "--reason", "the licence is back", name)
    row = listed(guestctl, name)
    assert (row["wanted"], row["stopped_by"], row["next_boot"]) == ("on", None, "start")
    said = trail(guestctl, name)
    for reason in ("its licence ran out", "the licence is back"):
        assert any(line.startswith(reason) for line in said)
    assert by_name(guestctl.json("start"))[name]["outcome"] == "started"


def test_saved_by_an_administrator_stays_down(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """guestctl never saw it run: it does not know whether it is wanted."""
    name = resumed(guests, STOPPED)
    guests.virsh("managedsave", guests.id_of(name))
    before = last_tick(guests, name)
    row = listed(guestctl, name)
    assert (row["wanted"], row["saved"], row["next_boot"]) == ("off", True, "stay-down")
    assert only_named(guestctl) == {name: "held"}
    assert guests.state(name) == "shut off"
    assert by_name(guestctl.json("start", name))[name]["outcome"] == "resumed"
    assert went_on(guests, name, before)


def test_turned_off_between_two_starts_stays_down(
    guests: SessionDaemon, guestctl: Guestctl
) -> None:
    name = resumed(guests, STOPPED)
    guestctl.run("shutdown", "--preserve", name)
    guestctl.run("start")
    guests.virsh("shutdown", guests.id_of(name))
    guests.wait_for_state(name, "shut off")
    assert name not in by_name(guestctl.json("start"))
    assert guests.state(name) == "shut off"
    assert listed(guestctl, name)["wanted"] == "off"
    assert any("by somebody (inferred)" in reason for reason in trail(guestctl, name))
    sources = [source for source, _, _ in guestctl.json("why", name)]
    assert "guestctl:inferred" in sources


def test_a_guest_that_is_off_is_skipped(guests: SessionDaemon, guestctl: Guestctl) -> None:
    name = STOPPED
    assert guests.state(name) == "shut off"
    boots = console.boots(guests.console(name))
    assert by_name(guestctl.json("shutdown", "--preserve", name))[name]["outcome"] == "skipped"
    assert guestctl.json("start")["guests"] == []
    assert console.boots(guests.console(name)) == boots


def test_shutdown_all_is_not_brought_back(guests: SessionDaemon, guestctl: Guestctl) -> None:
    """Only what is up is shut down; a save of a guest that is off is left alone."""
    resumed(guests, TURNED_OFF)
    resumed(guests, HELD)
    guests.virsh("managedsave", guests.id_of(HELD))
    down = by_name(guestctl.json("shutdown", "--all"))
    assert {name: guest["outcome"] for name, guest in down.items()} == {TURNED_OFF: "shut-down"}
    assert only_named(guestctl) == {HELD: "held"}
    assert listed(guestctl, HELD)["saved"]
    for name in NAMES:
        assert guests.state(name) == "shut off"
