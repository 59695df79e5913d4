"""The ledger's table of saves: what state each is in, and which one a guest has now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.ledger.file import connect
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.saves import KEPT_SAVES, Saves
from guestctl.model.guest import DomainInfo
from guestctl.model.plan import Step
from guestctl.model.result import StepEnd, StepResult
from guestctl.model.save import PastSave, SaveRecord, SaveState
from tests.ledgers import clock
from tests.unit.makers import BOOT, guest, guest_id

WEB = guest_id()
DONE = StepResult(Step.SAVE, StepEnd.DONE, 12.5)
BEFORE = "boot-before"


@pytest.fixture
def saves() -> Iterator[Saves]:
    """The table of a ledger in memory."""
    with closing(connect(None)) as db:
        yield Saves(db)


def count(saves: Saves) -> int:
    """How many saves are recorded."""
    return len(saves.all())


def make(saves: Saves, image: str | None = "image", stamps: str | None = "stamps") -> None:
    """A save that went well."""
    saves.begin(None, guest(memory=2**30, info=DomainInfo(digest="xml")))
    saves.end(WEB, DONE)
    saves.stamp(WEB, image, stamps)


# States


def test_a_guest_that_was_never_saved(saves: Saves) -> None:
    assert saves.newest(WEB) is None
    assert saves.all() == []


def test_a_save_from_its_beginning_to_its_end(saves: Saves) -> None:
    saves.begin(None, guest(memory=2**30, info=DomainInfo(digest="xml")))
    assert saves.newest(WEB) == PastSave(SaveState.BEGUN, None, None, None)
    saves.end(WEB, DONE)
    assert saves.newest(WEB) == PastSave(SaveState.DONE, None, None, None)
    saves.stamp(WEB, "image", "stamps")
    assert saves.newest(WEB) == PastSave(SaveState.DONE, "image", "stamps", None)
    saves.resuming(WEB, BOOT, "image")
    assert saves.newest(WEB) == PastSave(SaveState.RESUMING, "image", "stamps", BOOT)
    saves.resumed(WEB)
    assert saves.newest(WEB) == PastSave(SaveState.RESUMED, "image", "stamps", BOOT)
    assert saves.all() == [SaveRecord(WEB, 2**30, "xml", 12.5, SaveState.RESUMED, None)]


@pytest.mark.parametrize("end", [end for end in StepEnd if end is not StepEnd.DONE])
def test_a_save_that_did_not_end_well_failed(saves: Saves, end: StepEnd) -> None:
    saves.begin(None, guest())
    saves.end(WEB, StepResult(Step.SAVE, end, 1.0, "why"))
    (record,) = saves.all()
    assert (record.state, record.refusal) == (SaveState.FAILED, None)


def test_a_refusal_is_kept_with_its_reason(saves: Saves) -> None:
    saves.begin(None, guest(info=DomainInfo(digest="xml")))
    saves.end(WEB, StepResult(Step.SAVE, StepEnd.FAILED, 0.1, "has a vGPU", refused=True))
    (record,) = saves.all()
    assert (record.refusal, record.digest) == ("has a vGPU", "xml")


def test_a_save_that_is_discarded(saves: Saves) -> None:
    make(saves)
    saves.discarded(WEB)
    newest = saves.newest(WEB)
    assert newest is not None
    assert newest.state is SaveState.DISCARDED


def test_only_the_newest_of_the_guest_is_touched(saves: Saves) -> None:
    make(saves, "old", "old")
    saves.begin(None, guest("other", 2))
    make(saves)
    saves.resuming(WEB, BOOT, "image")
    saves.resumed(WEB)
    states = [record.state for record in saves.all()]
    assert states == [SaveState.DONE, SaveState.BEGUN, SaveState.RESUMED]


# Resuming


def test_resuming_with_another_image_is_of_another_save(saves: Saves) -> None:
    make(saves)
    saves.resuming(WEB, BOOT, "somebody else's")
    assert count(saves) == 2
    # What was seen of the disks belongs to the other save.
    assert saves.newest(WEB) == PastSave(SaveState.RESUMING, "somebody else's", None, BOOT)
    assert saves.all()[0].state is SaveState.DONE


@pytest.mark.parametrize("image", ["image", None])
def test_resuming_the_same_image_is_of_the_same_save(saves: Saves, image: str | None) -> None:
    make(saves, image)
    saves.resuming(WEB, BOOT, image)
    assert count(saves) == 1


def test_resuming_what_guestctl_never_saw(saves: Saves) -> None:
    saves.resuming(WEB, BOOT, None)
    assert saves.newest(WEB) == PastSave(SaveState.RESUMING, None, None, BOOT)


def test_resuming_after_a_save_that_is_over_is_of_another_save(saves: Saves) -> None:
    for state in (SaveState.FAILED, SaveState.DISCARDED, SaveState.RESUMED):
        make(saves)
        saves._db.execute("UPDATE save SET state = ?", (state,))
        before = count(saves)
        saves.resuming(WEB, BOOT, "image")
        assert count(saves) == before + 1


def test_resuming_again_in_another_boot_says_so(saves: Saves) -> None:
    make(saves)
    saves.resuming(WEB, BEFORE, "image")
    saves.resuming(WEB, BOOT, "image")
    assert saves.newest(WEB) == PastSave(SaveState.RESUMING, "image", "stamps", BOOT)
    assert count(saves) == 1


def test_a_resume_that_failed_leaves_the_save_as_it_was(saves: Saves) -> None:
    make(saves)
    saves.resuming(WEB, BOOT, "image")
    saves.not_resumed(WEB)
    assert saves.newest(WEB) == PastSave(SaveState.DONE, "image", "stamps", None)


def test_a_failed_resume_of_a_save_without_stamps_tells_nothing_of_it(saves: Saves) -> None:
    saves.resuming(WEB, BOOT, "image")
    saves.not_resumed(WEB)
    assert saves.newest(WEB) == PastSave(SaveState.BEGUN, "image", None, None)


USABLE = (SaveState.DONE, SaveState.RESUMING)


@pytest.mark.parametrize("state", USABLE)
def test_being_seen_up_uses_up_a_save(saves: Saves, state: SaveState) -> None:
    """Whoever started the guest, and from what: the save is older than its disks from now on."""
    make(saves)
    saves._db.execute("UPDATE save SET state = ?", (state,))
    saves.resumed(WEB)
    assert saves.all()[0].state is SaveState.RESUMED


@pytest.mark.parametrize("state", [s for s in SaveState if s not in USABLE])
def test_being_seen_up_uses_up_nothing_else(saves: Saves, state: SaveState) -> None:
    make(saves)
    saves._db.execute("UPDATE save SET state = ?", (state,))
    saves.resumed(WEB)
    assert saves.all()[0].state is state


def test_the_ledger_uses_it_up_when_the_guest_is_seen_up(saves: Saves) -> None:
    make(saves)
    saves.resuming(WEB, BOOT, "image")
    Ledger(saves._db, clock()).note_up(guest(), BOOT)
    assert saves.all()[0].state is SaveState.RESUMED


# Saves of others


def test_a_save_that_was_found_is_done(saves: Saves) -> None:
    saves.found(WEB, "image", "stamps")
    assert saves.newest(WEB) == PastSave(SaveState.DONE, "image", "stamps", None)
    (record,) = saves.all()
    assert (record.seconds, record.memory, record.refusal) == (None, 0, None)


@pytest.mark.parametrize(("image", "kept"), [("image", "image"), ("", None)])
def test_a_save_that_was_used_is_resumed_already(
    saves: Saves, image: str, kept: str | None
) -> None:
    saves.used(WEB, image)
    assert saves.newest(WEB) == PastSave(SaveState.RESUMED, kept, None, None)


def test_all_saves_of_a_guest_are_known_newest_first(saves: Saves) -> None:
    for image in ("first", "second", "third"):
        saves.found(WEB, image, None)
        saves.found(guest_id(2), "another's", None)
    assert [save.image for save in saves.of(WEB)] == ["third", "second", "first"]
    assert saves.of(guest_id(3)) == ()


# Pruning


def test_each_guest_keeps_its_newest_saves(saves: Saves) -> None:
    for number in range(KEPT_SAVES + 5):
        saves.found(WEB, str(number), None)
    saves.found(guest_id(2), "the only one", None)
    saves.prune()
    rows = saves._db.execute("SELECT image FROM save ORDER BY id").fetchall()
    kept = [str(number) for number in range(5, KEPT_SAVES + 5)]
    assert [image for (image,) in rows] == [*kept, "the only one"]


def _actions(saves: Saves) -> dict[str, Callable[[], None]]:
    return {
        "begin": lambda: saves.begin(None, guest()),
        "done": lambda: saves.end(WEB, DONE),
        "failed": lambda: saves.end(WEB, StepResult(Step.SAVE, StepEnd.FAILED, 1.0)),
        "stamp": lambda: saves.stamp(WEB, "image", "stamps"),
        "found": lambda: saves.found(WEB, "image", None),
        "used": lambda: saves.used(WEB, "image"),
        "resuming": lambda: saves.resuming(WEB, BOOT, "image"),
        "other": lambda: saves.resuming(WEB, BEFORE, "other"),
        "resumed": lambda: saves.resumed(WEB),
        "not_resumed": lambda: saves.not_resumed(WEB),
        "discarded": lambda: saves.discarded(WEB),
        "prune": saves.prune,
    }


with closing(connect(None)) as _db:
    verbs = st.sampled_from(list(_actions(Saves(_db))))


@given(st.lists(verbs, max_size=30))
def test_whatever_happens_in_whatever_order(history: list[str]) -> None:
    with closing(connect(None)) as db:
        saves = Saves(db)
        saves.found(guest_id(2), "image", "stamps")
        before = saves.newest(guest_id(2))
        for verb in history:
            _actions(saves)[verb]()
        newest = saves.newest(WEB)
        assert list(saves.of(WEB))[:1] == ([] if newest is None else [newest])
        assert saves.newest(guest_id(2)) == before
        assert (newest is None) == (len(saves.all()) == 1)
        if newest is not None and newest.state is SaveState.RESUMING:
            # Whoever looks after a crash must be able to tell in which boot it was.
            assert newest.boot in (BOOT, BEFORE)
