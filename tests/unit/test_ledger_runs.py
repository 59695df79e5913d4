"""What the ledger remembers of runs, how long, and what a boot still owes by it."""

from __future__ import annotations

import pytest

from guestctl.decisions.attempts import for_the_host
from guestctl.ledger import trail
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.runs import KEPT_RUNS
from guestctl.ledger.saves import KEPT_SAVES
from guestctl.ledger.trail import KEPT
from guestctl.model.history import PastStep
from guestctl.model.plan import Outcome, RunKind, Step
from guestctl.model.record import Wanted, seen_down
from guestctl.model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from guestctl.model.stop import StoppedBy
from tests.ledgers import (
    DONE,
    a_run,
    end,
    hold,
    taking_down,
    want,
)
from tests.unit.makers import BOOT, guest, guest_id, off

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


def test_what_starts_and_shutdowns_took_is_known_by_their_steps(ledger: Ledger) -> None:
    run = a_run(ledger)
    steps = (Step.START, Step.RESUME, Step.SHUTDOWN, Step.START)
    ends = (StepEnd.DONE, StepEnd.DONE, StepEnd.DONE, StepEnd.FAILED)
    for step, end_ in zip(steps, ends, strict=True):
        row = ledger.runs.begin_step(run, guest("a", 1), step)
        ledger.runs.end_step(row, guest_id(1), StepResult(step, end_, 1.0))
    assert [one.step for one in ledger.runs.starts()] == [Step.START, Step.RESUME]
    assert len(ledger.runs.shutdowns()) == 1
    assert all(one.seconds > 0 for one in ledger.runs.starts())


SAVE, ASK, START, RESUME = Step.SAVE, Step.SHUTDOWN, Step.START, Step.RESUME


@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        ([], False),
        ([SAVE], False),
        ([ASK, SAVE], True),  # it was saved all the same, by a guard
        ([SAVE, ASK], True),  # by a save that could not be aborted, or by libvirt
        ([ASK, START], False),
        ([ASK, RESUME, SAVE], False),
        ([RESUME, SAVE, ASK], True),
    ],
)
def test_whether_a_guest_was_asked_to_shut_down_before_it_was_saved(
    ledger: Ledger, steps: list[Step], asked: bool
) -> None:
    run = a_run(ledger)
    for step in steps:
        row = ledger.runs.begin_step(run, guest("a", 1), step)
        ledger.runs.end_step(row, guest_id(1), StepResult(step, StepEnd.DONE, 1.0))
    ledger.runs.begin_step(run, guest("b", 2), ASK)
    assert ledger.saves.asked_before(guest_id(1)) is asked


def test_a_resume_that_failed_answers_no_request(ledger: Ledger) -> None:
    ledger.runs.begin_step(a_run(ledger), guest("a", 1), ASK)
    run = ledger.runs.begin(RunKind.RESTORE, Trigger.BOOT, "the next boot")
    row = ledger.runs.begin_step(run, guest("a", 1), RESUME)
    ledger.runs.end_step(row, guest_id(1), StepResult(RESUME, StepEnd.FAILED, 1.0))
    assert ledger.saves.asked_before(guest_id(1))


def test_what_it_was_asked_in_an_earlier_boot_is_over(ledger: Ledger) -> None:
    ledger.runs.begin_step(a_run(ledger), guest("a", 1), ASK)
    run = ledger.runs.begin(RunKind.PRESERVE, Trigger.HOST_STOP, "another boot")
    ledger.runs.begin_step(run, guest("a", 1), SAVE)
    assert not ledger.saves.asked_before(guest_id(1))


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
    found = ledger.runs.guests(run)
    assert [(one.name, one.outcome, one.reason) for one in found] == [
        ("cut", "cut off", "in shutdown"),
        ("saved", "saved", ""),
        ("skipped", "skipped", "policy"),
    ]
    saved, skipped = found[1:]
    assert saved.begun is not None
    assert saved.ended is not None
    assert (saved.uuid, saved.ended > saved.begun) == (guest_id(1).uuid, True)
    assert skipped.begun is None


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
    ledger.trail.add(guest_id(2), "source", "the only one")  # and no run ends meanwhile
    reasons = [entry.reason for entry in ledger.trail.of(guest_id(1))]
    assert reasons == [str(number) for number in range(5, KEPT + 5)]
    assert [entry.reason for entry in ledger.trail.of(guest_id(2))] == ["the only one"]


def test_trails_of_guests_that_are_no_more_do_not_add_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transient guest has another UUID each time."""
    monkeypatch.setattr(trail, "KEPT_OF_GONE", 10)
    ledger.note_up(guest(), BOOT)
    ledger.trail.add(guest_id(), "source", "of a guest that is there")
    for number in range(2, 30):
        ledger.trail.add(guest_id(number), "source", "of one that came and went")
    end(ledger, a_run(ledger))
    ((left,),) = ledger.db.execute("SELECT count(*) FROM trail").fetchall()
    assert left == 11


def test_pruning_forgets_neither_what_is_wanted_nor_holds(ledger: Ledger) -> None:
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
    record = ledger.records([guest_id()], BOOT)[guest_id()]
    assert (record.attempts, record.up_boot, record.taken_down) == (begun, None, True)
    assert ledger.guests("another boot")[guest_id()].attempts == ()
