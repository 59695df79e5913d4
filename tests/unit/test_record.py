"""The record of a guest as a state machine: every order of its changes keeps the rules.

docs/dev/guest-record.md has the drawing.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.model import record as records
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.stop import Certainty, How, StoppedBy, Verdict
from tests.ledgers import instant
from tests.unit.makers import BOOT, EARLIER_BOOT, guest_id

NEW = GuestRecord(guest_id(), "web")
NOW, LATER = instant(1_000), instant(1_500)


def verdict(who: StoppedBy) -> Verdict:
    """That one stopped it."""
    return Verdict(who, How.SHUT_DOWN, Certainty.OBSERVED, ("it was seen",))


Change = Callable[[GuestRecord], GuestRecord]
CHANGES: dict[str, Change] = {
    "seen up": lambda it: records.seen_up(it, BOOT),
    "seen up in an earlier boot": lambda it: records.seen_up(it, EARLIER_BOOT),
    "undecided": records.undecided,
    "waits": lambda it: records.waits(it, "no disk", NOW),
    "waits for others": lambda it: records.waits(it, "b", NOW, tried=False),
    "waits anew": lambda it: records.waits(it, "no disk", LATER, anew=True),
    "gives up": records.gives_up,
    "asked for": lambda it: records.asked_for(it, BOOT),
    "turned off": lambda it: records.turned_off(it, StoppedBy.OPERATOR, NOW),
    "stopped by its user": lambda it: records.stopped(it, Wanted.OFF, verdict(StoppedBy.USER), NOW),
    "stopped by its user, to be restarted": lambda it: records.stopped(
        it, Wanted.ON, verdict(StoppedBy.USER), NOW
    ),
    "crashed": lambda it: records.stopped(it, Wanted.ON, verdict(StoppedBy.CRASH), NOW),
    "taking down": lambda it: records.taking_down(it, NOW),
    "seen down": records.seen_down,
    "went down": lambda it: records.went_down(it, verdict(StoppedBy.HOST), NOW),
    "operator's word": records.operators_word,
    "begins to settle": lambda it: records.begins_to_settle(it, BOOT),
    "settled": records.settled,
    "host's doing": records.hosts_doing,
    "somebody's doing": lambda it: records.somebodys_doing(it, verdict(StoppedBy.USER)),
    "somebody's doing, unknown whose": lambda it: records.somebodys_doing(it, None),
    "held": lambda it: records.held(it, "disk"),
    "held for its save": lambda it: records.held(it, "stale", for_save=True),
    "released": records.released,
    "released for its save": records.released_for_save,
    "flag seen set": lambda it: records.flag_seen(it, flag=True),
    "flag seen not set": lambda it: records.flag_seen(it, flag=False),
    "shed": lambda it: records.shed(it, "on battery", BOOT),
    "shed no more": records.shed_no_more,
    "not ready": lambda it: records.not_ready(it, "no address"),
    "ready": records.ready,
    "put back": lambda it: records.put_back(it, NEW),
}
HOLDS = {"held", "held for its save", "released", "released for its save"}

orders = st.lists(st.sampled_from(sorted(CHANGES)), max_size=12)


def after(names: list[str], record: GuestRecord = NEW) -> GuestRecord:
    """The record after these changes."""
    for name in names:
        record = CHANGES[name](record)
    return record


def hold(record: GuestRecord) -> tuple[str | None, bool]:
    """What is said of its hold."""
    return record.hold, record.held_for_save


def is_sound(record: GuestRecord) -> bool:
    """The rules that hold in every state."""
    off_and_owed = record.wanted is Wanted.OFF and record.taken_down
    off_and_up = record.wanted is Wanted.OFF and record.up_boot is not None
    undecided_stop = record.wanted is None and record.stopped_by is not None
    held_for_nothing = record.held_for_save and record.hold is None
    word_of_another_flag = record.flag_word not in (None, record.flag)
    unsound = (off_and_owed, off_and_up, undecided_stop, held_for_nothing, word_of_another_flag)
    return not any(unsound)


def test_every_change_is_here() -> None:
    """Who adds an arrow draws it, and tests it."""
    functions = {
        name
        for name, function in inspect.getmembers(records, inspect.isfunction)
        if function.__module__ == records.__name__
    }
    used = {change.__name__ for change in CHANGES.values()}
    used |= {name for change in CHANGES.values() for name in change.__code__.co_names}
    assert functions <= used


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_order_of_a_few_is_sound(length: int) -> None:
    for names in itertools.product(CHANGES, repeat=length):
        record = after(list(names))
        assert is_sound(record), names


@given(orders)
def test_every_order_is_sound(names: list[str]) -> None:
    assert is_sound(after(names))


@given(orders, st.sampled_from(sorted(set(CHANGES) - HOLDS)))
def test_nothing_but_a_person_or_its_save_changes_a_hold(names: list[str], last: str) -> None:
    record = after(names)
    assert hold(CHANGES[last](record)) == hold(record)


@given(orders, st.sampled_from(sorted(HOLDS)))
def test_a_hold_changes_nothing_else(names: list[str], last: str) -> None:
    record = after(names)
    changed = CHANGES[last](record)
    same = replace(changed, hold=record.hold, held_for_save=record.held_for_save)
    assert same == record


@given(orders)
def test_seen_up_ends_all_that_was_said_of_a_stop(names: list[str]) -> None:
    record = after([*names, "seen up"])
    stop = (record.stopped_by, record.stopped_at, record.how, record.certainty, record.settling)
    assert stop == (None,) * 5
    assert (record.wanted, record.up_boot, record.taken_down) == (Wanted.ON, BOOT, False)


@given(orders)
def test_a_guest_waits_until_it_is_up_or_somebody_says_otherwise(names: list[str]) -> None:
    record = after([*names, "asked for", "released", "waits"])
    assert record.waiting(BOOT) == after(["asked for"], record).waiting(BOOT) == "no disk"
    assert record.waiting(EARLIER_BOOT) is None
    for end in ("seen up", "turned off", "undecided", "stopped by its user", "held"):
        assert after([end], record).waiting(BOOT) is None
    assert after(["turned off", "waits"], record).waiting(BOOT) is None


@given(orders)
def test_the_newest_word_wins(names: list[str]) -> None:
    assert after([*names, "turned off"]).wanted is Wanted.OFF
    assert after([*names, "asked for"]).wanted is Wanted.ON
    assert after([*names, "undecided"]).wanted is None


@given(orders)
def test_a_guest_that_a_run_takes_down_is_owed_a_start_until_somebody_says_otherwise(
    names: list[str],
) -> None:
    record = after([*names, "seen up", "taking down", "seen down", "went down"])
    owed = (record.wanted, record.taken_down, record.up_boot, record.stopped_by)
    assert owed == (Wanted.ON, True, None, StoppedBy.HOST)
    assert not CHANGES["operator's word"](record).taken_down


@given(orders)
def test_a_cancelled_shutdown_leaves_a_stop_as_it_was(names: list[str]) -> None:
    stopped = after([*names, "seen up", "stopped by its user", "begins to settle"])
    back = after(["host's doing", "somebody's doing"], stopped)
    assert back == stopped


@given(orders)
def test_a_flag_that_changes_is_a_word_until_the_next_start_stop_or_word(names: list[str]) -> None:
    record = after([*names, "stopped by its user", "flag seen not set"])
    assert after(["flag seen not set"], record) == record
    assert after(["flag seen set"], record).flag_word is True
    assert after(["flag seen set", "flag seen not set"], record).flag_word is False
    for word in ("seen up", "stopped by its user", "turned off", "asked for"):
        assert after(["flag seen set", word], record).flag_word is None


def test_a_flag_changed_in_its_life_is_a_word_however_often_it_is_seen_up() -> None:
    record = after(["flag seen set", "seen up", "flag seen not set", "seen up", "taking down"])
    assert record.flag_word is False


def test_a_flag_that_was_never_seen_before_has_said_nothing() -> None:
    assert after(["stopped by its user", "flag seen set"]).flag_word is None


def test_what_is_put_back_is_what_was_known_before_but_for_holds() -> None:
    before = after(["seen up"])
    now = after(["turned off", "held"], before)
    assert records.put_back(now, before) == replace(before, hold="disk")


def test_a_guest_went_down_when_it_did_and_not_when_its_run_began() -> None:
    begun = records.taking_down(after(["seen up"]), NOW)
    down = records.went_down(begun, verdict(StoppedBy.HOST), LATER)
    assert (down.stopped_by, down.stopped_at) == (StoppedBy.HOST, LATER.at)


def test_since_when_it_is_up() -> None:
    """A second look in the same life, or a run that spares it, changes nothing of that."""
    up = records.seen_up(NEW, BOOT, 5)
    assert records.seen_up(up, BOOT, 9).up_since == 5
    assert records.seen_up(records.taking_down(up, NOW), BOOT, 9).up_since == 5
    assert records.seen_up(records.seen_down(up), BOOT, 9).up_since == 9
    assert records.seen_up(up, EARLIER_BOOT, 9).up_since == 9


def test_an_operator_who_preserves_is_named_and_the_guest_is_owed_a_start_all_the_same() -> None:
    up = records.seen_up(NEW, BOOT)
    down = records.taking_down(up, NOW, StoppedBy.OPERATOR)
    assert (down.stopped_by, down.taken_down) == (StoppedBy.OPERATOR, True)


def test_unready_is_of_one_life_in_one_boot() -> None:
    up = records.not_ready(records.seen_up(NEW, BOOT, 5), "no address")
    assert up.unready_in(BOOT) == "no address"
    assert up.unready_in(EARLIER_BOOT) is None
    assert records.seen_up(up, BOOT, 9).unready_in(BOOT) == "no address"
    assert records.ready(up).unready_in(BOOT) is None
    for change in ("seen down", "turned off", "crashed", "asked for", "undecided"):
        assert records.seen_up(CHANGES[change](up), BOOT, 9).unready is None, change
    assert records.seen_up(up, "another boot", 9).unready is None


def test_the_time_of_tries_begins_with_the_first_that_failed_of_a_boot() -> None:
    first = replace(NEW, waits_for="no disk", waits_in=EARLIER_BOOT, waits_since=1, given_up=True)
    of_now = records.waits(first, "no disk", NOW)
    assert (of_now.waits_since, of_now.given_up) == (NOW.awake, False)
    again = records.waits(records.gives_up(of_now), "no network", LATER)
    assert (again.waits_since, again.given_up) == (NOW.awake, True)
    anew = records.waits(again, "no network", LATER, anew=True)
    assert (anew.waits_since, anew.given_up) == (LATER.awake, False)
    for_others = records.waits(again, "it requires b", LATER, tried=False)
    assert (for_others.waits_since, for_others.given_up) == (None, False)
    assert records.waits(for_others, "no disk", LATER).waits_since == LATER.awake


@given(orders)
def test_who_was_given_up_is_not_once_it_is_up_or_turned_off(names: list[str]) -> None:
    for end in ("seen up", "turned off", "undecided"):
        record = after([*names, "waits", "gives up", end])
        assert (record.waits_since, record.given_up) == (None, False)
