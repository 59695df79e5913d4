"""The ledger: what is written of guests is what is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.ledger.file import (
    connect,
    transaction,
)
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestId
from guestctl.model.history import TrailEntry
from guestctl.model.plan import Step
from guestctl.model.record import GuestRecord, Wanted, undecided
from guestctl.model.stop import Certainty, How, StoppedBy, Verdict
from tests.ledgers import (
    a_run,
    begins_to_settle,
    clock,
    hold,
    instant,
    judge,
    record_of,
    taking_down,
    want,
)
from tests.unit.makers import BOOT, guest, guest_id, off, texts

# What is known of guests


def test_a_guest_seen_up_is_wanted_on(ledger: Ledger) -> None:
    want(ledger, guest(), Wanted.OFF, StoppedBy.USER)
    ledger.note_up(guest(), BOOT)
    assert record_of(ledger, guest()) == GuestRecord(
        guest_id(), "web", Wanted.ON, up_boot=BOOT, as_of=BOOT, flag=False, up_since=2
    )


def test_a_guest_that_is_taken_down_is_owed_a_start(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    taking_down(ledger, guest())
    assert record_of(ledger, guest()) == GuestRecord(
        *(guest_id(), "web", Wanted.ON, StoppedBy.HOST, 2, BOOT, 2),
        up_boot=BOOT,
        taken_down=True,
        as_of=BOOT,
        flag=False,
        up_since=1,
    )


def test_taking_down_a_guest_that_was_never_noted_notes_nothing(ledger: Ledger) -> None:
    """A transient guest is taken down without being owed anything."""
    taking_down(ledger, guest())
    assert ledger.guests() == {}


def test_a_guest_that_somebody_wants_off_is_owed_nothing(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    taking_down(ledger, guest())
    want(ledger, guest(), Wanted.OFF, StoppedBy.OPERATOR)
    found = record_of(ledger, guest())
    assert (found.wanted, found.stopped_by, found.stopped_at, found.taken_down) == (
        Wanted.OFF,
        StoppedBy.OPERATOR,
        3,
        False,
    )


def test_a_guest_that_somebody_wants_on_was_stopped_by_nobody(ledger: Ledger) -> None:
    want(ledger, off(), Wanted.OFF, StoppedBy.USER)
    want(ledger, off(), Wanted.ON)
    found = record_of(ledger, off())
    assert (found.wanted, found.stopped_by, found.stopped_at) == (Wanted.ON, None, None)


@pytest.mark.parametrize("wanted", Wanted)
def test_what_is_inferred_is_known_afterwards(ledger: Ledger, wanted: Wanted) -> None:
    says = Verdict(StoppedBy.CRASH, How.CRASHED, Certainty.INFERRED, ("it crashed", "at night"))
    judge(ledger, off(), wanted, says)
    found = record_of(ledger, off())
    assert (found.wanted, found.stopped_by) == (wanted, StoppedBy.CRASH)
    assert (found.how, found.certainty) == (How.CRASHED, Certainty.INFERRED)
    assert found.taken_down is (wanted is Wanted.ON)
    assert ledger.trail.newest_verdict(off().id) == says
    (line,) = ledger.trail.of(off().id)
    assert line.source == "guestctl:inferred"
    assert line.reason == "crashed (inferred): it crashed; at night"


def test_a_hold_outlives_everything_but_its_release(ledger: Ledger) -> None:
    hold(ledger, off(), "its disk changed")
    ledger.note_up(guest(), BOOT)
    taking_down(ledger, guest())
    want(ledger, guest(), Wanted.OFF, StoppedBy.USER)
    assert record_of(ledger, guest()).hold == "its disk changed"
    hold(ledger, off(), None)
    assert record_of(ledger, guest()).hold is None


def test_a_hold_alone_decides_nothing(ledger: Ledger) -> None:
    hold(ledger, off(), "")
    assert record_of(ledger, off()) == GuestRecord(guest_id(), "web", hold="")


def test_a_renamed_guest_is_the_same_guest(ledger: Ledger) -> None:
    hold(ledger, guest("old"), "disk")
    ledger.note_up(guest("new"), BOOT)
    assert ledger.guests().keys() == {guest_id()}
    assert (record_of(ledger, guest()).name, record_of(ledger, guest()).hold) == ("new", "disk")


def test_the_same_uuid_on_another_connection_is_another_guest(ledger: Ledger) -> None:
    here, there = guest(), guest(id=guest_id(1, "other:///"))
    ledger.note_up(here, BOOT)
    want(ledger, there, Wanted.OFF)
    assert record_of(ledger, here).wanted is Wanted.ON
    assert record_of(ledger, there).wanted is Wanted.OFF


def test_a_guest_that_is_forgotten_leaves_its_trail(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    ledger.trail.add(guest_id(), "guestctl", "gone")
    ledger.forget(guest_id())
    assert ledger.guests() == {}
    assert [entry.reason for entry in ledger.trail.of(guest_id())] == ["gone"]


# Finding a guest's trail again


def test_a_guest_is_found_by_its_name(ledger: Ledger) -> None:
    ledger.note_up(guest("a", 1), BOOT)
    ledger.note_up(guest("b", 2), BOOT)
    assert list(ledger.known_as("a")) == [guest_id(1)]
    assert list(ledger.known_as("c")) == []
    assert list(ledger.known_as("%")) == []


@pytest.mark.parametrize("change", [str, str.upper])
def test_a_guest_is_found_by_its_uuid(ledger: Ledger, change: Callable[[str], str]) -> None:
    ledger.note_up(guest(), BOOT)
    ledger.trail.add(guest_id(), "guestctl", "x")
    assert list(ledger.known_as(change(guest_id().uuid))) == [guest_id()]


def test_a_held_guest_is_found_though_nothing_else_ever_happened_to_it(ledger: Ledger) -> None:
    hold(ledger, off(), "disk")
    ledger.trail.add(guest_id(), "guestctl:hold", "disk")
    assert list(ledger.known_as("web")) == [guest_id()]


def test_a_forgotten_guest_is_found_by_name_and_by_uuid(ledger: Ledger) -> None:
    """A transient guest that was taken down: "why" is asked of those most of all."""
    transient = guest(persistent=False)
    ledger.runs.begin_step(a_run(ledger), transient, Step.SHUTDOWN)
    ledger.trail.add(guest_id(), "guestctl:preserve", "shutdown done")
    ledger.forget(guest_id())
    assert list(ledger.known_as("web")) == [guest_id()]
    assert list(ledger.known_as(guest_id().uuid)) == [guest_id()]


def test_a_name_finds_all_that_bore_it(ledger: Ledger) -> None:
    ledger.runs.begin_step(a_run(ledger), guest("web", 1), Step.SAVE)
    ledger.note_up(guest("other", 1), BOOT)
    ledger.note_up(guest("web", 2), BOOT)
    assert sorted(ledger.known_as("web")) == [guest_id(1), guest_id(2)]


# The reason trail


def test_a_trail_is_in_the_order_in_which_it_was_written(ledger: Ledger) -> None:
    """A clock may be set back; the trail is not shuffled by it."""
    jumping = Ledger(ledger.db, map(instant, [50, 10, 30]).__next__)
    for reason in ("first", "second", "third"):
        jumping.trail.add(guest_id(), "source", reason)
    assert ledger.trail.of(guest_id()) == [
        TrailEntry("source", "first", 50),
        TrailEntry("source", "second", 10),
        TrailEntry("source", "third", 30),
    ]
    assert ledger.trail.of(guest_id(2)) == []


# Whatever guests are called


@given(texts, texts, texts, st.lists(texts, max_size=5))
def test_any_text_is_kept_as_it_is(name: str, uri: str, reason: str, trail: list[str]) -> None:
    db = connect(None)
    ledger = Ledger(db, clock())
    facts = guest(name, id=GuestId(uri, guest_id().uuid))
    hold(ledger, facts, reason)
    for entry in trail:
        ledger.trail.add(facts.id, name, entry)
    assert record_of(ledger, facts) == GuestRecord(facts.id, name, hold=reason)
    assert [(e.source, e.reason) for e in ledger.trail.of(facts.id)] == [(name, t) for t in trail]
    assert list(ledger.known_as(name)) == [facts.id]
    db.close()


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_any_time_and_size_is_kept_as_it_is(now: int, memory: int) -> None:
    db = connect(None)
    ledger = Ledger(db, lambda: instant(now))
    ledger.runs.begin_step(None, guest(memory=memory), Step.SAVE)
    assert db.execute("SELECT begun FROM step").fetchall() == [(now,)]
    assert [record.memory for record in ledger.saves.all()] == [memory]
    db.close()


# Transactions


def test_a_transaction_is_all_or_nothing(ledger: Ledger) -> None:

    def half() -> None:
        with transaction(ledger.db):
            ledger.note_up(guest(), BOOT)
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        half()
    assert ledger.guests() == {}
    with transaction(ledger.db):
        ledger.note_up(guest(), BOOT)
    assert len(ledger.guests()) == 1
    assert not ledger.db.in_transaction


def test_what_is_wanted_is_forgotten_and_the_hold_and_the_trail_are_not(ledger: Ledger) -> None:
    want(ledger, guest(), Wanted.OFF, StoppedBy.USER)
    begins_to_settle(ledger, guest_id(), BOOT)
    hold(ledger, guest(), "later")
    ledger.trail.add(guest_id(), "guestctl", "gone")
    ledger.change(guest_id(), undecided)
    record = ledger.guests()[guest_id()]
    assert (record.wanted, record.hold, len(ledger.trail.of(guest_id()))) == (None, "later", 1)
    assert ledger.settling(BOOT) == []
