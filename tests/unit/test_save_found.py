"""Whether there is a save, and media without which none could be resumed from."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from guestctl.decisions.staleness import Truth, to_text
from guestctl.model.guest import Disk, DiskKind, DomainInfo, GuestFacts
from guestctl.model.save import Found, Stamp
from guestctl.runs.context import LOOK_LIMIT
from guestctl.runs.save_check import (
    LOOKS,
    is_there,
    with_images,
    with_lost_media,
)
from tests.sim.loop import run
from tests.unit.fake_storage import (
    FOLDER,
    IMAGE,
    NO_IMAGE,
    SEEN,
    WAIT,
    WEB,
    A,
    FakeStorage,
    look,
    past,
)
from tests.unit.makers import guest, off
from tests.unit.test_save_check import BLOCK

# Media

CD = Disk(DiskKind.FILE, "/cd.iso", read_only=True)
UP = guest(info=DomainInfo(unsavable=("before",), disks=(A, CD)))


def with_media(storage: FakeStorage, *guests: GuestFacts) -> list[tuple[str, ...]]:
    return [guest.info.unsavable for guest in run(with_lost_media(storage, guests))]


def test_a_medium_that_was_deleted_speaks_against_a_save() -> None:
    before, lost = with_media(FakeStorage(), UP)[0]
    assert before == "before"
    assert lost.startswith("/cd.iso, which it only reads, is not there")


def test_a_medium_that_is_there_does_not() -> None:
    storage = FakeStorage()
    storage.files[CD] = Stamp(CD, Found.PRESENT, 1)
    assert with_media(storage, UP) == [("before",)]
    storage.files[CD] = Stamp(CD, Found.UNREADABLE)
    assert with_media(storage, UP) == [("before",)]


def test_what_does_not_answer_speaks_against_no_save() -> None:
    storage = FakeStorage()
    storage.hangs.add("stamps")
    assert with_media(storage, UP, off(info=UP.info)) == [("before",), ("before",)]


def test_a_disk_that_was_deleted_is_no_medium() -> None:
    storage = FakeStorage()
    del storage.files[A]
    assert with_media(storage, replace(UP, info=DomainInfo(disks=(A,)))) == [()]


# Whether there is a save


@pytest.mark.parametrize(
    ("image", "flag", "saved", "there"),
    [
        (IMAGE, True, True, True),
        (IMAGE, False, True, True),
        (NO_IMAGE, False, False, False),
        (NO_IMAGE, True, True, False),
        (None, False, False, None),
        (None, True, True, None),
    ],
)
def test_the_file_counts(image: Stamp | None, flag: bool, saved: bool, there: bool | None) -> None:
    storage = FakeStorage()
    storage.save = image
    facts = replace(WEB, saved=flag)
    assert [g.saved for g in run(with_images(storage, [facts, facts]))] == [saved, saved]
    assert run(is_there(storage, facts)) is there


def test_files_that_do_not_answer_are_asked_once() -> None:
    storage = FakeStorage()
    storage.hangs.add("image")
    run(with_images(storage, [replace(WEB, saved=False)] * 5))
    assert storage.looks == 1


def test_a_save_that_was_removed_under_libvirt_cannot_be_used() -> None:
    storage = FakeStorage()
    save = past(image=to_text([IMAGE, FOLDER]))
    storage.save = NO_IMAGE
    assert look(storage, save, wait=WAIT)[0].truth is Truth.UNUSABLE
    storage.save_folder = replace(FOLDER, inode=1)  # not mounted yet
    assert look(storage, save, wait=WAIT)[0].truth is Truth.NOT_THERE


def test_what_guestctl_did_not_see_is_told_apart() -> None:
    storage = FakeStorage()
    assert not look(storage)[0].known
    assert look(storage, past())[0].known
    assert look(storage, past(stamps=to_text([*SEEN, BLOCK])))[0].known


def test_saves_of_many_are_looked_for_at_the_same_time() -> None:
    """A disk that takes its time, or that only the others wait for, costs each guest 10 s."""

    class Slow(FakeStorage):
        async def image(self, guest: GuestFacts) -> Stamp | None:
            await asyncio.sleep(LOOK_LIMIT / 2)
            return NO_IMAGE

    guests = [off(f"guest-{number}", number) for number in range(1 + 3 * LOOKS)]

    async def took() -> float:
        await with_images(Slow(), guests)
        return asyncio.get_running_loop().time()

    assert run(took()) == 4 * LOOK_LIMIT / 2
