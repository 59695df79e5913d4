"""Guests on the list that libvirt-guests left: who of them is owed a start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestctl.decisions.left_by_libvirt_guests import owed
from guestctl.model.guest import GuestFacts, GuestId, State
from guestctl.model.instant import Instant
from guestctl.model.record import GuestRecord, Wanted, asked_for, stopped, turned_off
from guestctl.model.stop import Certainty, RivalStop, StoppedBy, Verdict

NOW = Instant(10**18, "this boot", 10**9, 10**9)
BEFORE = Instant(10**17, "an earlier boot", 10**9, 10**9)
GUEST = GuestFacts(GuestId("qemu:///system", "u"), "web", State.SHUT_OFF, "unknown")
NOBODYS = GuestRecord(GUEST.id, GUEST.name)
STOP = RivalStop(frozenset({"u"}), 1.0, 2.0)
GUESSED = stopped(
    NOBODYS, Wanted.OFF, Verdict(StoppedBy.UNKNOWN, None, Certainty.INFERRED, ()), NOW
)
BY_ADMINISTRATOR = turned_off(NOBODYS, StoppedBy.ADMINISTRATOR, BEFORE)
UP = replace(GUEST, state=State.RUNNING, reason="booted")

OWED = [
    (None, GUEST, None),
    (None, GUEST, STOP),
    (None, replace(GUEST, reason="shutdown"), STOP),
    (None, replace(GUEST, reason="failed"), None),
    (GUESSED, GUEST, None),
    (BY_ADMINISTRATOR, GUEST, STOP),
]


@pytest.mark.parametrize(("record", "guest", "rival"), OWED)
def test_it_is_wanted_on(
    record: GuestRecord | None, guest: GuestFacts, rival: RivalStop | None
) -> None:
    update = owed(record, guest, rival, NOW)
    assert update is not None
    assert update.record is not None
    assert (update.record.wanted, update.record.taken_down) == (Wanted.ON, True)
    assert update.record.stopped_by is StoppedBy.LIBVIRT_GUESTS
    assert update.remarks[-1].source == "guestctl:takeover"


NOT_OWED = [
    (None, UP, None),
    (None, UP, STOP),
    (None, replace(GUEST, persistent=False), None),
    (None, replace(GUEST, reason="destroyed"), None),  # it ran since, in this boot
    (None, replace(GUEST, reason="destroyed"), STOP),
    (BY_ADMINISTRATOR, GUEST, None),  # the list may be of years ago
    (turned_off(NOBODYS, StoppedBy.ADMINISTRATOR, NOW), GUEST, None),
    (asked_for(NOBODYS, BEFORE.boot), GUEST, None),  # it is wanted on already
]


@pytest.mark.parametrize(("record", "guest", "rival"), NOT_OWED)
def test_nothing_is_written(
    record: GuestRecord | None, guest: GuestFacts, rival: RivalStop | None
) -> None:
    assert owed(record, guest, rival, NOW) is None


def test_a_hold_stays() -> None:
    update = owed(replace(GUESSED, hold="why not"), GUEST, None, NOW)
    assert update is not None
    assert update.record is not None
    assert update.record.hold == "why not"
