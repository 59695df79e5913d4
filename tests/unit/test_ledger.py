"""The ledger: what is written is what is read, and no file stops anybody."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.decisions.attempts import for_the_host
from guestctl.ledger import opening, schema
from guestctl.ledger.file import (
    TROUBLE,
    LedgerTooNew,
    connect,
    connect_to_read,
    copy_of,
    transaction,
)
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.opening import open_ledger, read_ledger, set_aside
from guestctl.ledger.runs import KEPT_RUNS
from guestctl.ledger.saves import KEPT_SAVES
from guestctl.ledger.trail import KEPT
from guestctl.model.guest import GuestFacts, GuestId
from guestctl.model.history import PastGuest, PastStep, TrailEntry
from guestctl.model.plan import Outcome, RunKind, Step
from guestctl.model.record import GuestRecord, Wanted, seen_down, undecided
from guestctl.model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from guestctl.model.stop import Certainty, How, StoppedBy, Verdict
from tests.ledgers import begins_to_settle, hold, judge, taking_down, want
from tests.unit.makers import BOOT, guest, guest_id, off, texts

DONE = StepResult(Step.SAVE, StepEnd.DONE, 1.0)


def clock() -> Callable[[], int]:
    """A clock that ticks each time it is read."""
    return itertools.count(1).__next__


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A ledger in memory."""
    db = connect(None)
    yield Ledger(db, clock())
    db.close()


def known_of(ledger: Ledger, facts: GuestFacts) -> GuestRecord:
    """What the ledger says of the guest."""
    return ledger.guests()[facts.id]


def a_run(
    ledger: Ledger, kind: RunKind = RunKind.PRESERVE, trigger: Trigger = Trigger.COMMAND
) -> int:
    """A run that was begun."""
    return ledger.runs.begin(kind, trigger, BOOT)


def end(ledger: Ledger, run: int, *guests: GuestResult) -> None:
    """The run is over."""
    ledger.runs.end(RunResult(RunKind.PRESERVE, run, guests))
    ledger.prune()


# What is known of guests


def test_a_guest_seen_up_is_wanted_on(ledger: Ledger) -> None:
    want(ledger, guest(), Wanted.OFF, StoppedBy.USER)
    ledger.note_up(guest(), BOOT)
    assert known_of(ledger, guest()) == GuestRecord(guest_id(), "web", Wanted.ON, up_boot=BOOT)


def test_a_guest_that_is_taken_down_is_owed_a_start(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    taking_down(ledger, guest())
    assert known_of(ledger, guest()) == GuestRecord(
        guest_id(), "web", Wanted.ON, StoppedBy.HOST, 1, up_boot=BOOT, taken_down=True
    )


def test_taking_down_a_guest_that_was_never_noted_notes_nothing(ledger: Ledger) -> None:
    """A transient guest is taken down without being owed anything."""
    taking_down(ledger, guest())
    assert ledger.guests() == {}


def test_a_guest_that_somebody_wants_off_is_owed_nothing(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    taking_down(ledger, guest())
    want(ledger, guest(), Wanted.OFF, StoppedBy.OPERATOR)
    found = known_of(ledger, guest())
    assert (found.wanted, found.stopped_by, found.stopped_at, found.taken_down) == (
        Wanted.OFF,
        StoppedBy.OPERATOR,
        2,
        False,
    )


def test_a_guest_that_somebody_wants_on_was_stopped_by_nobody(ledger: Ledger) -> None:
    want(ledger, off(), Wanted.OFF, StoppedBy.USER)
    want(ledger, off(), Wanted.ON)
    found = known_of(ledger, off())
    assert (found.wanted, found.stopped_by, found.stopped_at) == (Wanted.ON, None, None)


@pytest.mark.parametrize("wanted", Wanted)
def test_what_is_inferred_is_known_afterwards(ledger: Ledger, wanted: Wanted) -> None:
    says = Verdict(StoppedBy.CRASH, How.CRASHED, Certainty.INFERRED, ("it crashed", "at night"))
    judge(ledger, off(), wanted, says)
    found = known_of(ledger, off())
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
    assert known_of(ledger, guest()).hold == "its disk changed"
    hold(ledger, off(), None)
    assert known_of(ledger, guest()).hold is None


def test_a_hold_alone_decides_nothing(ledger: Ledger) -> None:
    hold(ledger, off(), "")
    assert known_of(ledger, off()) == GuestRecord(guest_id(), "web", hold="")


def test_a_renamed_guest_is_the_same_guest(ledger: Ledger) -> None:
    hold(ledger, guest("old"), "disk")
    ledger.note_up(guest("new"), BOOT)
    assert ledger.guests().keys() == {guest_id()}
    assert (known_of(ledger, guest()).name, known_of(ledger, guest()).hold) == ("new", "disk")


def test_the_same_uuid_on_another_connection_is_another_guest(ledger: Ledger) -> None:
    here, there = guest(), guest(id=guest_id(1, "other:///"))
    ledger.note_up(here, BOOT)
    want(ledger, there, Wanted.OFF)
    assert known_of(ledger, here).wanted is Wanted.ON
    assert known_of(ledger, there).wanted is Wanted.OFF


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
    jumping = Ledger(ledger.db, iter([50, 10, 30]).__next__)
    for reason in ("first", "second", "third"):
        jumping.trail.add(guest_id(), "source", reason)
    assert ledger.trail.of(guest_id()) == [
        TrailEntry("source", "first", 50),
        TrailEntry("source", "second", 10),
        TrailEntry("source", "third", 30),
    ]
    assert ledger.trail.of(guest_id(2)) == []


# Runs


def test_a_run_counts_as_cut_off_until_it_has_ended(ledger: Ledger) -> None:
    run = ledger.runs.begin(RunKind.PRESERVE, Trigger.HOST_STOP, BOOT)
    (cut_off,) = ledger.runs.newest()
    assert (cut_off.id, cut_off.kind, cut_off.trigger) == (run, RunKind.PRESERVE, Trigger.HOST_STOP)
    assert (cut_off.boot, cut_off.begun, cut_off.ended, cut_off.ok) == (BOOT, 1, None, None)
    end(ledger, run)
    (ended,) = ledger.runs.newest()
    assert (ended.ended, ended.ok) == (2, True)


def test_a_run_that_did_not_go_well_says_so(ledger: Ledger) -> None:
    run = a_run(ledger)
    end(ledger, run, GuestResult(guest_id(), "web", Outcome.FAILED))
    assert ledger.runs.newest()[0].ok is False


def test_runs_are_listed_newest_first_and_no_more_than_asked_for(ledger: Ledger) -> None:
    numbers = [a_run(ledger) for _ in range(5)]
    assert [run.id for run in ledger.runs.newest(3)] == numbers[:1:-1]


def test_steps_are_listed_as_they_were_begun(ledger: Ledger) -> None:
    run = a_run(ledger)
    save = ledger.runs.begin_step(run, guest("a", 1), Step.SAVE)
    ledger.runs.begin_step(run, guest("b", 2), Step.SHUTDOWN)
    ledger.runs.end_step(save, guest_id(1), StepResult(Step.SAVE, StepEnd.TIMED_OUT, 9.0, "slow"))
    assert [(s.name, s.step, s.end, s.reason) for s in ledger.runs.steps(run)] == [
        ("a", Step.SAVE, "timed out", "slow"),
        ("b", Step.SHUTDOWN, None, ""),
    ]
    assert isinstance(ledger.runs.steps(run)[0], PastStep)
    assert ledger.runs.steps(run + 1) == []


def test_a_save_is_remembered_with_its_end(ledger: Ledger) -> None:
    row = ledger.runs.begin_step(a_run(ledger), guest(memory=2**40), Step.SAVE)
    saves = "SELECT memory, state FROM save"
    assert ledger.db.execute(saves).fetchall() == [(2**40, "begun")]
    ledger.runs.end_step(row, guest_id(), DONE)
    assert ledger.db.execute(saves).fetchall() == [(2**40, "done")]


def test_what_became_of_the_guests_of_a_run(ledger: Ledger) -> None:
    run = a_run(ledger)
    ledger.runs.begin_guest(run, guest("saved", 1))
    ledger.runs.begin_step(run, guest("saved", 1), Step.SAVE)
    ledger.runs.begin_guest(run, guest("cut", 2))
    ledger.runs.begin_step(run, guest("cut", 2), Step.SAVE)
    ledger.runs.begin_step(run, guest("cut", 2), Step.SHUTDOWN)
    ledger.runs.end_guest(run, GuestResult(guest_id(1), "saved", Outcome.SAVED))
    ledger.runs.end_guest(
        run, GuestResult(guest_id(3), "skipped", Outcome.SKIPPED, reason="policy")
    )
    assert ledger.runs.guests(run) == [
        PastGuest("cut", "cut off", "in shutdown"),
        PastGuest("saved", "saved", ""),
        PastGuest("skipped", "skipped", "policy"),
    ]


def test_a_guest_that_is_renamed_in_mid_run_is_one_guest(ledger: Ledger) -> None:
    run = a_run(ledger)
    ledger.runs.begin_step(run, guest("old"), Step.SAVE)
    ledger.runs.end_guest(run, GuestResult(guest_id(), "new", Outcome.SAVED))
    assert [(g.name, g.outcome) for g in ledger.runs.guests(run)] == [("new", "saved")]


def test_two_guests_of_one_name_are_two_guests(ledger: Ledger) -> None:
    run = a_run(ledger)
    for there in (guest_id(1), guest_id(1, "other:///")):
        ledger.runs.begin_step(run, guest("web", id=there), Step.SAVE)
        ledger.runs.end_guest(run, GuestResult(there, "web", Outcome.SAVED))
    assert [(g.name, g.outcome) for g in ledger.runs.guests(run)] == [("web", "saved")] * 2


def test_a_guest_taken_down_twice_in_one_run_ended_as_the_last_time(ledger: Ledger) -> None:
    run = a_run(ledger)
    for outcome in (Outcome.SHUT_DOWN, Outcome.SAVED):
        ledger.runs.end_guest(run, GuestResult(guest_id(), "web", outcome))
    assert [g.outcome for g in ledger.runs.guests(run)] == ["saved"]


def test_without_a_run_of_its_own_a_step_is_still_recorded(ledger: Ledger) -> None:
    """The run could not be recorded, since the disk was full for a moment; the save can."""
    ledger.runs.begin_step(None, guest(), Step.SAVE)
    ledger.runs.end_guest(None, GuestResult(guest_id(), "web", Outcome.SAVED))
    assert ledger.db.execute("SELECT count(*) FROM save").fetchone() == (1,)


# Whether this boot's restore was done: what happened in order, and the answer

BEFORE = "boot-before"
HOST_STOPS = (RunKind.PRESERVE, Trigger.HOST_STOP, BEFORE, True)
RESTORED = (RunKind.RESTORE, Trigger.BOOT, BOOT, True)
NOT_ALL = (RunKind.RESTORE, Trigger.BOOT, BOOT, False)
CUT_OFF = (RunKind.RESTORE, Trigger.BOOT, BOOT, None)
#: Kind, trigger, boot, and how it ended: well, not well, or None for cut off.
Past = tuple[RunKind, Trigger, str, bool | None]
BY_HAND: list[Past] = [(kind, Trigger.COMMAND, BOOT, True) for kind in RunKind]
HISTORIES: list[tuple[list[Past], bool]] = [
    ([], False),
    ([HOST_STOPS], False),
    ([HOST_STOPS, RESTORED], True),
    ([HOST_STOPS, NOT_ALL], True),
    ([HOST_STOPS, CUT_OFF], False),
    ([HOST_STOPS, CUT_OFF, RESTORED], True),
    ([(RunKind.RESTORE, Trigger.BOOT, BEFORE, True)], False),
    ([RESTORED, (RunKind.PRESERVE, Trigger.HOST_STOP, BOOT, True)], False),
    ([RESTORED, (RunKind.PRESERVE, Trigger.HOST_STOP, BOOT, None)], False),
    # What an operator has done in between neither does the boot's work nor undoes it.
    (BY_HAND, False),
    ([HOST_STOPS, *BY_HAND], False),
    ([RESTORED, *BY_HAND], True),
    ([CUT_OFF, *BY_HAND], False),
    ([RESTORED, (RunKind.PRESERVE, Trigger.COMMAND, BOOT, None), RESTORED], True),
]


def past(ledger: Ledger, kind: RunKind, trigger: Trigger, boot: str, ok: bool | None) -> int:
    """A run as it happened."""
    run = ledger.runs.begin(kind, trigger, boot)
    failed = () if ok else (GuestResult(guest_id(), "web", Outcome.FAILED),)
    if ok is not None:
        ledger.runs.end(RunResult(kind, run, failed), [guest_id().uri])
    return run


@pytest.mark.parametrize(("history", "answer"), HISTORIES)
def test_whether_the_restore_of_this_boot_was_done(
    ledger: Ledger, history: list[Past], answer: bool
) -> None:
    for run in history:
        past(ledger, *run)
    assert ledger.runs.restored_since_preserve(BOOT) == (
        {guest_id().uri} if answer else frozenset()
    )


def test_a_restore_that_was_interrupted_is_still_owed(ledger: Ledger) -> None:
    run = ledger.runs.begin(RunKind.RESTORE, Trigger.BOOT, BOOT)
    ledger.runs.end(RunResult(RunKind.RESTORE, run, (), interrupted=True))
    assert (ledger.runs.newest()[0].ok, ledger.runs.restored_since_preserve(BOOT)) == (
        None,
        frozenset(),
    )


# Pruning


def test_old_runs_go_with_all_that_belongs_to_them(ledger: Ledger) -> None:
    first = a_run(ledger)
    ledger.runs.begin_step(first, guest(), Step.SAVE)
    ledger.runs.end_guest(first, GuestResult(guest_id(), "web", Outcome.SAVED))
    later = [a_run(ledger) for _ in range(KEPT_RUNS)]
    end(ledger, later[-1])
    assert [run.id for run in ledger.runs.newest(1000)] == later[::-1]
    assert ledger.runs.guests(first) == []
    assert ledger.runs.steps(first) == []


def test_each_guest_keeps_the_newest_of_its_trail(ledger: Ledger) -> None:
    for number in range(KEPT + 5):
        ledger.trail.add(guest_id(1), "source", str(number))
    ledger.trail.add(guest_id(2), "source", "the only one")
    end(ledger, a_run(ledger))
    reasons = [entry.reason for entry in ledger.trail.of(guest_id(1))]
    assert reasons == [str(number) for number in range(5, KEPT + 5)]
    assert [entry.reason for entry in ledger.trail.of(guest_id(2))] == ["the only one"]


def test_pruning_forgets_neither_wishes_nor_holds(ledger: Ledger) -> None:
    want(ledger, off(), Wanted.OFF, StoppedBy.USER)
    hold(ledger, off(), "disk")
    before = ledger.guests()
    for _ in range(KEPT_RUNS + 1):
        end(ledger, a_run(ledger))
    assert ledger.guests() == before


def test_the_newest_saves_stay(ledger: Ledger) -> None:
    run = a_run(ledger)
    for _ in range(25):
        ledger.runs.begin_step(run, guest(), Step.SAVE)
    newest = ledger.db.execute("SELECT max(id) FROM save").fetchone()
    end(ledger, run)
    left = ledger.db.execute("SELECT count(*), max(id) FROM save").fetchone()
    assert left == (KEPT_SAVES, *newest)


# Whatever guests are called


@given(texts, texts, texts, st.lists(texts, max_size=5))
def test_any_text_is_kept_as_it_is(name: str, uri: str, reason: str, trail: list[str]) -> None:
    db = connect(None)
    ledger = Ledger(db, clock())
    facts = guest(name, id=GuestId(uri, guest_id().uuid))
    hold(ledger, facts, reason)
    for entry in trail:
        ledger.trail.add(facts.id, name, entry)
    assert known_of(ledger, facts) == GuestRecord(facts.id, name, hold=reason)
    assert [(e.source, e.reason) for e in ledger.trail.of(facts.id)] == [(name, t) for t in trail]
    assert list(ledger.known_as(name)) == [facts.id]
    db.close()


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_any_time_and_size_is_kept_as_it_is(now: int, memory: int) -> None:
    db = connect(None)
    ledger = Ledger(db, lambda: now)
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


# Files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be."""
    return tmp_path / "state" / "ledger.db"


def make(path: Path, *reasons: str) -> None:
    """A ledger file with a trail, closed in good order."""
    path.parent.mkdir(exist_ok=True)
    db = connect(path)
    ledger = Ledger(db, clock())
    with transaction(db):
        ledger.note_up(guest(), BOOT)
        for reason in reasons:
            ledger.trail.add(guest_id(), "source", reason)
    db.close()


class Opened:
    """A ledger as runs and readers open it, with what was complained of."""

    def __init__(self, path: Path, opener: Callable[..., Ledger] = open_ledger) -> None:
        self.trouble: list[str] = []
        self.ledger = opener(path, clock(), self.trouble.append)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.db.close()

    def works(self) -> bool:
        """Whether what is written can be read."""
        with transaction(self.ledger.db):
            self.ledger.trail.add(guest_id(9), "source", "written now")
        return [entry.reason for entry in self.ledger.trail.of(guest_id(9))] == ["written now"]


def test_what_was_written_is_there_when_the_file_is_opened_again(path: Path) -> None:
    make(path, "kept")
    with Opened(path) as opened:
        assert [entry.reason for entry in opened.ledger.trail.of(guest_id())] == ["kept"]
        assert opened.works()
        assert opened.trouble == []


def test_several_may_begin_the_same_ledger_at_the_same_moment(tmp_path: Path) -> None:
    """A run and a `guestctl hold`, say, on a host where neither was ever used."""
    together = threading.Barrier(8)

    def open_new(path: Path) -> list[str]:
        together.wait(10)
        with Opened(path) as opened:
            return opened.trouble

    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            trouble = list(pool.map(open_new, [tmp_path / f"{number}.db"] * 8))
            assert trouble == [[]] * 8


def test_the_folder_is_synced_once_the_files_are_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut can lose a new ledger whole, its synced commits with it."""
    path.parent.mkdir()
    synced: list[tuple[int, list[str]]] = []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, sorted(os.listdir(path.parent))))

    monkeypatch.setattr(os, "fsync", fsync)
    connect(path).close()
    (inode, files) = synced[-1]
    assert inode == path.parent.stat().st_ino
    assert {"ledger.db", "ledger.db-wal"} <= set(files)


def test_every_commit_is_synced(path: Path) -> None:
    """EXTRA, which is FULL for a WAL: a power cut right after a commit loses nothing."""
    path.parent.mkdir()
    db = connect(path)
    modes = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    db.close()
    assert modes == ["wal", 3]


@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_file_with_nothing_in_it_is_a_new_ledger(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with Opened(path) as opened:
        assert opened.works()
        assert opened.trouble == []


def whole_file(folder: Path) -> bytes:
    """The bytes of a ledger of several pages."""
    path = folder / "whole" / "ledger.db"
    make(path, *(f"reason {n} " + "x" * 100 for n in range(200)))
    return path.read_bytes()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda whole: b"\xde\xad" * (len(whole) // 2),
    "text": lambda _: b"this is no ledger\n" * 100,
    "cut in half": lambda whole: whole[: len(whole) // 2],
    "cut in mid-page": lambda whole: whole[:-1000],
    "header gone": lambda whole: b"\x00" * 100 + whole[100:],
    "zeroes": lambda whole: b"\x00" * len(whole),
    "a page of zeroes": lambda whole: whole[:4096] + b"\x00" * 4096 + whole[8192:],
    "all but the header gone": lambda whole: whole[:100] + b"\xff" * (len(whole) - 100),
    # SQLite quotes it in its error, which Python then cannot read.
    "a schema that is not UTF-8": lambda whole: whole.replace(
        b"TEXT NOT NULL", b"TEXT NOT NU\xdd\xdd"
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(
    path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    make(path)
    damaged = damage(whole_file(tmp_path))
    path.write_bytes(damaged)
    with Opened(path) as opened:
        assert opened.works()
    (aside,) = path.parent.glob("ledger.db.damaged-*")
    assert aside.read_bytes() == damaged
    (trouble,) = opened.trouble
    assert "is damaged" in trouble
    assert str(aside) in trouble
    with Opened(path) as again:
        assert again.trouble == []
        assert [entry.reason for entry in again.ledger.trail.of(guest_id(9))] == ["written now"]


def test_damaged_ledgers_are_all_kept(path: Path) -> None:
    make(path)
    for _ in range(3):
        path.write_bytes(b"this is no ledger\n" * 100)
        Opened(path).ledger.db.close()
    assert len(list(path.parent.glob("ledger.db.damaged-*"))) == 3


def test_the_wal_of_a_ledger_goes_with_it(path: Path) -> None:
    """SQLite would apply it to the new file."""
    path.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_text(f"content{suffix}")
    aside = set_aside(path)
    found = {file.name: file.read_text() for file in path.parent.iterdir()}
    assert found == {aside.name + s: f"content{s}" for s in ("", "-wal", "-shm")}


WHERE_NO_FILE_CAN_BE: dict[str, Callable[[Path], Path]] = {
    "no folder": lambda folder: folder / "absent" / "ledger.db",
    "below a file": lambda folder: folder / "file" / "ledger.db",
    "a folder in its place": lambda folder: folder / "folder",
    "nobody may write there": lambda _: Path("/proc/ledger.db"),
    "name too long": lambda folder: folder / ("x" * 300),
}


@pytest.mark.parametrize("opener", [open_ledger, read_ledger])
@pytest.mark.parametrize("place", WHERE_NO_FILE_CAN_BE.values(), ids=WHERE_NO_FILE_CAN_BE.keys())
def test_where_no_file_can_be_the_ledger_is_done_without(
    tmp_path: Path, opener: Callable[..., Ledger], place: Callable[[Path], Path]
) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    with Opened(place(tmp_path), opener) as opened:
        assert opened.works()
    # For a reader, a ledger that does not exist yet is no trouble.
    assert len(opened.trouble) == 1 or opener is read_ledger
    assert all("cannot" in trouble and "ledger" in trouble for trouble in opened.trouble)
    assert (tmp_path / "file").read_text() == "kept"
    assert (tmp_path / "folder").is_dir()


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE guest (mine TEXT)")
    db.close()
    before = path.read_bytes()
    with Opened(path) as opened:
        assert opened.works()
        assert len(opened.trouble) == 1
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("guest",)]
    db.close()
    assert len(before) == len(path.read_bytes())


# Versions


def set_version(path: Path, version: int, journal: str = "wal") -> bytes:
    """Make the file one of another schema; its bytes."""
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA journal_mode = {journal}")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    return path.read_bytes()


@pytest.mark.parametrize("journal", ["wal", "delete"])
@pytest.mark.parametrize("opener", [open_ledger, read_ledger])
def test_a_ledger_of_a_newer_guestctl_is_left_untouched(
    path: Path, opener: Callable[..., Ledger], journal: str
) -> None:
    make(path, "kept")
    before = set_version(path, schema.VERSION + 1, journal)
    with Opened(path, opener) as opened:
        assert opened.works()
    (trouble,) = opened.trouble
    assert f"schema {schema.VERSION + 1}, ours {schema.VERSION}" in trouble
    assert path.read_bytes() == before


@pytest.mark.parametrize("opener", [connect, connect_to_read])
def test_whoever_opens_a_newer_ledger_is_told(path: Path, opener: Callable[[Path], Any]) -> None:
    make(path)
    set_version(path, schema.VERSION + 7)
    with pytest.raises(LedgerTooNew, match=f"schema {schema.VERSION + 7}"):
        opener(path)


# Reading


def test_reading_makes_no_file(path: Path) -> None:
    with Opened(path, read_ledger) as opened:
        assert opened.ledger.guests() == {}
        assert opened.trouble == []
    assert not path.parent.exists()


def test_whoever_only_reads_cannot_write(path: Path) -> None:
    make(path, "kept")
    with Opened(path, read_ledger) as opened:
        assert [entry.reason for entry in opened.ledger.trail.of(guest_id())] == ["kept"]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            opened.ledger.trail.add(guest_id(), "source", "no")


def test_reading_goes_on_while_a_run_writes(path: Path) -> None:
    make(path, "committed")
    with Opened(path) as writer, Opened(path, read_ledger) as reader:
        with transaction(writer.ledger.db):
            writer.ledger.trail.add(guest_id(), "source", "not yet")
            assert [e.reason for e in reader.ledger.trail.of(guest_id())] == ["committed"]
        assert len(reader.ledger.trail.of(guest_id())) == 2


@pytest.mark.parametrize("name", ["a b%20?mode=rw#x", "ä", "'"])
def test_any_folder_name_can_be_read_from(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "ledger.db"
    make(path, "kept")
    with Opened(path, read_ledger) as opened:
        assert len(opened.ledger.trail.of(guest_id())) == 1
        assert opened.trouble == []


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_reading_a_damaged_ledger_is_trouble_and_no_error(
    path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Nor does a reader move anything: a run may be at work on it."""
    make(path)
    damaged = damage(whole_file(tmp_path))
    path.write_bytes(damaged)
    with Opened(path, read_ledger) as opened:
        opened.ledger.guests()
        opened.ledger.runs.newest()
        opened.ledger.runs.restored_since_preserve(BOOT)
        for guest_found in opened.ledger.known_as("web"):
            opened.ledger.trail.of(guest_found)
    assert opened.trouble
    assert path.read_bytes() == damaged


# Files that can be read and not written


def _failure(code: int, message: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


NOT_WRITABLE = [
    _failure(sqlite3.SQLITE_FULL, "database or disk is full"),
    _failure(sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
    _failure(sqlite3.SQLITE_CANTOPEN, "unable to open database file"),
    OSError(28, "No space left on device"),
]


@pytest.fixture(params=NOT_WRITABLE, ids=str)
def unwritable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files cannot be opened in place; what is in memory can."""

    def fail(path: Path | None) -> sqlite3.Connection:
        if path is None:
            return connect(None)
        raise request.param

    monkeypatch.setattr(opening, "connect", fail)
    monkeypatch.setattr(opening, "connect_to_read", fail)


@pytest.mark.usefixtures("unwritable")
@pytest.mark.parametrize("opener", [open_ledger, read_ledger])
def test_a_ledger_that_cannot_be_written_is_read_all_the_same(
    path: Path, opener: Callable[..., Ledger]
) -> None:
    make(path, "kept")
    before = path.read_bytes()
    with Opened(path, opener) as opened:
        assert opened.ledger.remembers
        assert [entry.reason for entry in opened.ledger.trail.of(guest_id())] == ["kept"]
        assert opened.works()
    (trouble,) = opened.trouble
    assert "cannot write to the ledger" in trouble
    assert "what happens now is not remembered" in trouble
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]


@pytest.mark.usefixtures("unwritable")
def test_without_anything_to_read_nothing_is_remembered(path: Path) -> None:
    with Opened(path) as opened:
        assert not opened.ledger.remembers
        assert opened.works()
    (trouble,) = opened.trouble
    assert "nothing is remembered" in trouble


def test_a_copy_holds_what_is_only_in_the_wal(path: Path) -> None:
    make(path, "closed")
    with Opened(path) as writer:
        with transaction(writer.ledger.db):
            writer.ledger.trail.add(guest_id(), "source", "in the WAL")
        assert path.with_name("ledger.db-wal").stat().st_size > 0
        copy = copy_of(path)
        found = [entry.reason for entry in Ledger(copy, clock()).trail.of(guest_id())]
        copy.close()
    assert found == ["closed", "in the WAL"]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_copying_a_damaged_ledger_is_trouble_as_any_other(
    path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path.parent.mkdir()
    path.write_bytes(damage(whole_file(tmp_path)))
    with pytest.raises(TROUBLE):
        copy_of(path)


def test_the_schema_is_what_the_version_says() -> None:
    """Whoever changes it must raise the number, and write the way there."""
    statements = " ".join(schema._TABLES.split())
    assert (schema.VERSION, len(statements.split(";"))) == (2, 11)


def test_what_runs_have_begun_with_a_guest_in_a_boot_is_known(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    taking_down(ledger, guest())
    run = ledger.runs.begin(RunKind.PRESERVE, Trigger.COMMAND, BOOT)
    ledger.runs.begin_step(run, guest(), Step.SAVE)
    operators = ledger.runs.begin(RunKind.SHUTDOWN, Trigger.COMMAND, BOOT)
    ledger.runs.begin_step(operators, guest(), Step.POWEROFF)
    begun = ledger.guests(BOOT)[guest_id()].attempts
    assert [(a.kind, a.step) for a in begun] == [
        (RunKind.PRESERVE, Step.SAVE),
        (RunKind.SHUTDOWN, Step.POWEROFF),
    ]
    assert for_the_host(begun).steps == {Step.SAVE}
    ledger.change(guest_id(), seen_down)
    known = ledger.records([guest_id()], BOOT)[guest_id()]
    assert (known.attempts, known.up_boot, known.taken_down) == (begun, None, True)
    assert ledger.guests("another boot")[guest_id()].attempts == ()


def test_a_wish_is_forgotten_and_the_hold_and_the_trail_are_not(ledger: Ledger) -> None:
    want(ledger, guest(), Wanted.OFF, StoppedBy.USER)
    begins_to_settle(ledger, guest_id(), BOOT)
    hold(ledger, guest(), "later")
    ledger.trail.add(guest_id(), "guestctl", "gone")
    ledger.change(guest_id(), undecided)
    known = ledger.guests()[guest_id()]
    assert (known.wanted, known.hold, len(ledger.trail.of(guest_id()))) == (None, "later", 1)
    assert ledger.settling(BOOT) == []
