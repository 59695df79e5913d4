"""A guest was saved, and libvirt sees no save: used, removed, or not mounted yet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestctl.decisions.staleness import Truth, to_text
from guestctl.model.save import Found, PastSave, SaveState, Stamp
from guestctl.runs.save_check import look_for_save
from tests.sim.loop import run
from tests.unit.fake_storage import (
    FOLDER,
    IMAGE,
    WAIT,
    WEB,
    FakeStorage,
    look,
    past,
)

# A save that nobody can see


def search(storage: FakeStorage, *saves: PastSave) -> Found | None:
    """How looking for the save of a guest without one ends, in virtual time."""
    return run(look_for_save(storage, WEB, saves, WAIT))


LOST = past(image=to_text([IMAGE, FOLDER]))


def gone() -> FakeStorage:
    """The folder is there, and the image is not."""
    storage = FakeStorage()
    storage.save = Stamp(IMAGE.disk, Found.MISSING)
    return storage


@pytest.mark.parametrize(
    "save", [past(), past(image=None), past(SaveState.RESUMED, image=LOST.image)]
)
def test_a_save_that_was_used_or_never_stamped_is_not_looked_for(save: PastSave) -> None:
    assert search(gone(), save) is None
    assert search(gone()) is None


def test_a_save_whose_folder_is_there_was_removed() -> None:
    assert search(gone(), LOST) is Found.MISSING


@pytest.mark.parametrize("now", [None, Stamp(FOLDER.disk, Found.MISSING), replace(FOLDER, inode=2)])
def test_a_save_whose_folder_is_not_there_is_unknown(now: Stamp | None) -> None:
    storage = gone()
    storage.save_folder = now
    assert search(storage, LOST) is Found.UNREADABLE


def test_a_save_that_comes_late_is_found() -> None:
    storage = gone()
    storage.save_folder = None
    storage.later[3] = lambda files: setattr(files, "save", IMAGE)
    assert search(storage, LOST) is Found.PRESENT


@pytest.mark.parametrize("what", ["image", "folder"])
def test_what_does_not_answer_says_nothing_of_a_save(what: str) -> None:
    storage = gone()
    storage.hangs.add(what)
    assert search(storage, LOST) is Found.UNREADABLE


def test_a_discarded_save_that_is_back_is_held() -> None:
    """The disk can forget at a power cut that it was removed."""
    (found, _) = look(FakeStorage(), past(SaveState.DISCARDED))
    assert found.truth is Truth.CHANGED
