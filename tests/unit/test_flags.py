"""Libvirt's autostart flags as words: what was said last counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from guestctl.decisions.autostart import ONCE, SET, TAKEN, at_boot
from guestctl.decisions.reconcile import reconcile
from guestctl.decisions.wanted import Watched
from guestctl.model.guest import GuestFacts, State
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.stop import Heard, StoppedBy
from tests.ledgers import instant
from tests.unit.makers import EARLIER_BOOT, guest, guests_and_records, off, recorded

ON, OFF = Wanted.ON, Wanted.OFF
NOW, NEXT = instant(1), "the next boot"
#: The stop was heard of, as it came about.
LIVE = Watched(Heard())


def turned_off(**differs: Any) -> GuestRecord:
    """Its user turned it off, without the flag."""
    says = {"wanted": OFF, "up_boot": None, "stopped_by": StoppedBy.USER, "flag": False}
    return recorded(**{**says, **differs})


def passed(record: GuestRecord | None, *looks: GuestFacts, live: bool = False) -> GuestRecord:
    """The record after these looks, one after another."""
    for facts in looks:
        watched = LIVE if live and facts.down else Watched()
        update = reconcile(record, facts, NOW, watched).update
        record = (update and update.record) or record
    assert record
    return record


def wanted_at_boot(record: GuestRecord, facts: GuestFacts, *, once: bool = True) -> Wanted | None:
    """What is wanted of it once its flags are heeded."""
    update = at_boot(record, facts, instant(2, NEXT), once=once)
    return update.record.wanted if update and update.record else record.wanted


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        ([off(autostart=True)], ON),
        ([off(autostart=True), off()], OFF),
        ([off()], OFF),
        ([guest(), off(autostart=True)], ON),
        ([guest(state=State.UNKNOWN)], OFF),
    ],
)
def test_a_flag_set_after_the_stop_is_the_newer_word(
    looks: list[GuestFacts], wanted: Wanted
) -> None:
    record = passed(turned_off(), *looks)
    assert wanted_at_boot(record, off(autostart=looks[-1].autostart)) is wanted


def test_a_flag_that_was_set_before_the_stop_says_nothing() -> None:
    record = passed(None, guest(autostart=True), off(autostart=True), live=True)
    assert (record.wanted, record.flag_word) == (OFF, None)
    assert wanted_at_boot(record, off(autostart=True)) is OFF


def test_a_flag_set_in_its_life_is_older_than_a_stop_that_was_heard_of() -> None:
    record = passed(None, guest(), guest(autostart=True), off(autostart=True), live=True)
    assert wanted_at_boot(record, off(autostart=True)) is OFF
    record = passed(None, guest(), off(autostart=True), live=True)
    assert wanted_at_boot(record, off(autostart=True)) is OFF


def test_nobody_watched_a_stop_and_the_flag_is_new_since() -> None:
    record = passed(None, guest(), off(autostart=True))
    assert record.wanted is OFF
    assert wanted_at_boot(record, off(autostart=True)) is ON


def test_a_flag_taken_away_is_newer_than_wanted_on() -> None:
    record = passed(None, guest(autostart=True), guest(autostart=False))
    assert record.wanted is ON
    assert wanted_at_boot(record, off(reason="unknown")) is OFF


def test_a_flag_taken_away_while_it_is_down_for_the_host_is_newer_too() -> None:
    owed = recorded(taken_down=True, up_boot=None, flag=True)
    assert wanted_at_boot(passed(owed, off(reason="unknown")), off()) is OFF


def test_a_guest_that_never_had_the_flag_comes_back_as_it_ran() -> None:
    assert wanted_at_boot(passed(None, guest(), guest()), off()) is ON


def test_a_life_that_began_without_the_flag_is_a_newer_word_than_taking_it_away() -> None:
    record = recorded(up_boot=EARLIER_BOOT, as_of=EARLIER_BOOT, flag=True)
    assert wanted_at_boot(passed(record, guest(autostart=False)), off()) is ON


def test_what_is_not_known_of_before_says_nothing() -> None:
    record = passed(turned_off(flag=None), off(autostart=True))
    assert (record.flag, record.flag_word) == (True, None)


@pytest.mark.parametrize(("once", "wanted"), [(True, ON), (False, OFF)])
def test_autostart_once_is_an_explicit_wish(once: bool, wanted: Wanted) -> None:
    assert wanted_at_boot(turned_off(), off(autostart_once=True), once=once) is wanted


def test_the_trail_says_what_a_change_means() -> None:
    def said(record: GuestRecord, facts: GuestFacts) -> list[str]:
        update = reconcile(record, facts, NOW).update
        return [note.text for note in update.remarks] if update else []

    assert said(turned_off(), off(autostart=True)) == [f"{SET}: the next boot starts it"]
    taken = [f"{TAKEN}: the next boot leaves it down"]
    assert said(recorded(flag=True), guest(autostart=False)) == taken
    assert said(turned_off(flag=True), off()) == []
    assert said(recorded(flag=False), guest(autostart=True)) == []


@given(guests_and_records)
def test_flags_say_something_of_guests_that_are_down_alone(
    pair: tuple[GuestFacts, GuestRecord | None],
) -> None:
    facts, record = pair
    update = at_boot(record, facts, NOW, once=True)
    if update is None or update.record is None:
        return
    assert facts.down
    assert update.remarks[0].text in (SET, TAKEN, ONCE)
    assert update.record.hold == (record and record.hold)
