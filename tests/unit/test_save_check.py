"""The table of stale saves in docs/reference/failures.md, row by row, on files that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestctl.decisions.staleness import Comparison, Truth, to_text
from guestctl.model.guest import Disk, DiskKind, DomainInfo
from guestctl.model.save import Found, PastSave, SaveState, Stamp
from guestctl.runs.context import LOOK_LIMIT
from guestctl.runs.save_check import (
    SaveStamps,
    image_text,
    stamp,
)
from tests.sim.loop import run
from tests.unit.fake_storage import (
    IMAGE,
    NO_IMAGE,
    SEEN,
    WAIT,
    WEB,
    A,
    B,
    Change,
    FakeStorage,
    both,
    hanging,
    look,
    losing,
    nothing,
    past,
    setting,
    with_image,
)
from tests.unit.makers import BOOT, EARLIER_BOOT

BLOCK = Stamp(Disk(DiskKind.BLOCK, "/dev/x"), Found.UNVERIFIABLE)
NETWORK = Stamp(Disk(DiskKind.OTHER, "network rbd x"), Found.UNVERIFIABLE)
RESUMING, RESUMED = SaveState.RESUMING, SaveState.RESUMED

CONTENT = to_text([replace(IMAGE, content="memory")])
#: As `virsh managedsave-edit` leaves it.
EDITED = replace(IMAGE, inode=98, modified=99, content="memory")
OLDER = to_text([replace(IMAGE, modified=1)])
HOST_WENT_DOWN = "when the host went down"
UNSEEN = "did not see"

#: The saves that the ledger knows, newest first; what happened to the files; the answer.
Row = tuple[tuple[PastSave, ...], Change, Truth, str]
TABLE: dict[str, Row] = {
    "all as before": ((past(),), nothing, Truth.SAME, ""),
    "the image was moved": ((past(),), with_image(replace(IMAGE, inode=99)), Truth.SAME, ""),
    "a disk has changed": ((past(),), setting(A, modified=1), Truth.CHANGED, "/a has changed"),
    "a disk was replaced": ((past(),), setting(B, inode=1), Truth.CHANGED, "another file"),
    "a disk is not there": ((past(),), losing(A), Truth.NOT_THERE, "/a is not there"),
    "a disk cannot be read": (
        (past(),),
        losing(A, Found.UNREADABLE),
        Truth.NOT_THERE,
        "/a cannot be read",
    ),
    "a disk does not answer": ((past(),), hanging("stamps"), Truth.NOT_THERE, "do not answer"),
    "the image does not answer": ((past(),), hanging("image"), Truth.NOT_THERE, "cannot be read"),
    "the image is not there": ((past(),), with_image(NO_IMAGE), Truth.NOT_THERE, "cannot be read"),
    "a block device": (
        (past(stamps=to_text([*SEEN, BLOCK])),),
        nothing,
        Truth.UNVERIFIABLE,
        "a block device",
    ),
    "a disk on the network": (
        (past(stamps=to_text([*SEEN, NETWORK])),),
        nothing,
        Truth.UNVERIFIABLE,
        "no file here",
    ),
    "a block device beside a changed disk": (
        (past(stamps=to_text([*SEEN, BLOCK])),),
        setting(A, size=1),
        Truth.CHANGED,
        "/a has changed",
    ),
    "never seen being made": ((), nothing, Truth.UNVERIFIABLE, UNSEEN),
    "another image": (
        (past(),),
        with_image(replace(IMAGE, modified=1)),
        Truth.UNVERIFIABLE,
        "not as guestctl saw it",
    ),
    "another image, and a disk has changed": (
        (past(),),
        both(with_image(replace(IMAGE, modified=1)), setting(A, size=1)),
        Truth.CHANGED,
        "/a has changed",
    ),
    "edited": ((past(image=CONTENT),), with_image(EDITED), Truth.SAME, ""),
    "edited, and a disk has changed": (
        (past(image=CONTENT),),
        both(with_image(EDITED), setting(A, size=1)),
        Truth.CHANGED,
        "/a has changed",
    ),
    "edited, and a resume failed before a disk changed": (
        (past(SaveState.BEGUN, image=to_text([EDITED]), stamps=None), past(image=CONTENT)),
        both(with_image(EDITED), setting(A, size=1)),
        Truth.CHANGED,
        "/a has changed",
    ),
    "used, and a resume by somebody's word failed": (
        (past(SaveState.BEGUN, stamps=None), past(RESUMED)),
        nothing,
        Truth.CHANGED,
        "already resumed",
    ),
    "an older one is back from a backup": (
        (past(), past(RESUMED, image=CONTENT)),
        with_image(EDITED),
        Truth.CHANGED,
        "already resumed",
    ),
    "another memory, in whose disks there is nothing newer": (
        (past(image=CONTENT),),
        both(with_image(replace(EDITED, content="other")), setting(A, modified=1)),
        Truth.UNVERIFIABLE,
        UNSEEN,
    ),
    "another memory, and a disk is newer": (
        (past(image=CONTENT),),
        both(with_image(replace(EDITED, content="other")), setting(A, modified=10**15)),
        Truth.CHANGED,
        "/a was written to",
    ),
    "never seen being made, and a disk is newer": (
        (),
        setting(A, modified=10**15),
        Truth.CHANGED,
        "/a was written to",
    ),
    "disks were not looked at": (
        (past(stamps=None),),
        nothing,
        Truth.UNVERIFIABLE,
        "not looked at",
    ),
    "garbled stamps": ((past(stamps="[{"),), nothing, Truth.UNVERIFIABLE, "not looked at"),
    "being resumed when the host went down": (
        (past(RESUMING, boot=EARLIER_BOOT),),
        nothing,
        Truth.CHANGED,
        HOST_WENT_DOWN,
    ),
    "being resumed in this boot, and still there": (
        (past(RESUMING, boot=BOOT),),
        nothing,
        Truth.SAME,
        "",
    ),
    "being resumed in this boot, and a disk has changed": (
        (past(RESUMING, boot=BOOT),),
        setting(A, size=1),
        Truth.CHANGED,
        "/a has changed",
    ),
    "resumed already, and back": ((past(RESUMED),), nothing, Truth.CHANGED, "already resumed"),
    "resumed already, and another one since": (
        (past(RESUMED),),
        with_image(replace(IMAGE, size=1)),
        Truth.UNVERIFIABLE,
        UNSEEN,
    ),
    # Which save an image is decides, not which is the newest.
    "resumed already, and a newer one came to nothing": (
        (past(SaveState.FAILED, image=None, stamps=None), past(RESUMED)),
        nothing,
        Truth.CHANGED,
        "already resumed",
    ),
    "an older one was resumed": ((past(), past(RESUMED, image=OLDER)), nothing, Truth.SAME, ""),
    "an older one is back": (
        (past(), past(RESUMED, image=OLDER)),
        with_image(replace(IMAGE, modified=1)),
        Truth.CHANGED,
        "already resumed",
    ),
    "the newest of the same image counts": ((past(RESUMED), past()), nothing, Truth.CHANGED, ""),
    # Where images cannot be told apart.
    "no image known": ((past(image=None),), nothing, Truth.SAME, ""),
    "no image known, and a disk has changed": (
        (past(image=None),),
        setting(A, size=1),
        Truth.CHANGED,
        "/a has changed",
    ),
    "no image known, being resumed when the host went down": (
        (past(RESUMING, boot=EARLIER_BOOT, image=None),),
        nothing,
        Truth.CHANGED,
        HOST_WENT_DOWN,
    ),
    "no image known, resumed already": (
        (past(RESUMED, image=None),),
        nothing,
        Truth.UNVERIFIABLE,
        UNSEEN,
    ),
    "no image known, not seen to end": (
        (past(SaveState.BEGUN, image=None),),
        nothing,
        Truth.UNVERIFIABLE,
        UNSEEN,
    ),
    "no image known, failed and yet there": (
        (past(SaveState.FAILED, image=None),),
        nothing,
        Truth.UNVERIFIABLE,
        UNSEEN,
    ),
}
every_row = pytest.mark.parametrize(
    ("saves", "change", "truth", "said"), TABLE.values(), ids=TABLE.keys()
)


@every_row
def test_the_table(saves: tuple[PastSave, ...], change: Change, truth: Truth, said: str) -> None:
    storage = FakeStorage()
    change(storage)
    found, _ = look(storage, *saves)
    assert found.truth is truth
    assert said in found.reason
    assert bool(found.reason) == (truth is not Truth.SAME)


@pytest.mark.parametrize(
    ("newest", "change"),
    [
        (past(image=None), setting(A, size=1)),
        (past(RESUMING, boot=EARLIER_BOOT, image=None), nothing),
    ],
)
def test_an_older_save_does_not_hide_what_speaks_against_the_newest(
    newest: PastSave, change: Change
) -> None:
    storage = FakeStorage()
    change(storage)
    assert look(storage, newest, past(RESUMED, image=OLDER))[0].truth is Truth.CHANGED


# Waiting


@pytest.mark.parametrize("change", [losing(A), with_image(NO_IMAGE)])
def test_what_is_not_there_is_waited_for_so_long_and_no_longer(change: Change) -> None:
    storage = FakeStorage()
    change(storage)
    found, seconds = look(storage, past(), wait=WAIT)
    assert found.truth is Truth.NOT_THERE
    assert WAIT <= seconds <= WAIT + 5


def test_a_disk_that_comes_is_seen() -> None:
    storage = FakeStorage()
    losing(A)(storage)
    storage.later[4] = lambda later: later.files.update({A: SEEN[0]})
    found, seconds = look(storage, past(), wait=WAIT)
    assert found.truth is Truth.SAME
    assert seconds < 10


def test_a_disk_that_comes_back_changed_is_held() -> None:
    storage = FakeStorage()
    losing(A)(storage)
    storage.later[4] = setting(B, size=1)
    found, seconds = look(storage, past(), wait=WAIT)
    assert found.truth is Truth.CHANGED
    assert seconds < 10


@every_row
def test_nothing_else_is_waited_for(
    saves: tuple[PastSave, ...], change: Change, truth: Truth, said: str
) -> None:
    storage = FakeStorage()
    change(storage)
    found, seconds = look(storage, *saves, wait=WAIT)
    assert said in found.reason
    assert (seconds > 0) == (truth is Truth.NOT_THERE)


@pytest.mark.parametrize("what", ["stamps", "image"])
def test_files_that_hang_cost_one_look_more_than_the_wait(what: str) -> None:
    storage = FakeStorage()
    storage.hangs.add(what)
    found, seconds = look(storage, past(), wait=WAIT)
    assert found.truth is Truth.NOT_THERE
    assert seconds <= WAIT + 2 * LOOK_LIMIT + 5


# Taking evidence


def test_what_is_taken_is_what_is_examined() -> None:
    storage = FakeStorage()
    image, stamps = run(stamp(storage, WEB))
    save = PastSave(SaveState.DONE, image, stamps, None)
    assert look(storage, save)[0] == Comparison(Truth.SAME)
    setting(A, size=1)(storage)
    assert look(storage, save)[0].truth is Truth.CHANGED


@pytest.mark.parametrize("image", [None, NO_IMAGE, Stamp(IMAGE.disk, Found.UNREADABLE)])
def test_an_image_that_cannot_be_stamped_is_not_known(image: Stamp | None) -> None:
    storage = FakeStorage()
    storage.save = image
    assert run(image_text(storage, WEB)) is None
    assert run(stamp(storage, WEB)) == SaveStamps(None, to_text(SEEN))


def test_what_hangs_is_not_known() -> None:
    storage = FakeStorage()
    storage.hangs = {"stamps", "image", "content"}
    assert run(stamp(storage, WEB)) == SaveStamps(None, None)


def test_disks_that_are_not_known_are_not_stamped() -> None:
    nameless = replace(WEB, info=DomainInfo(disks=None))
    assert run(stamp(FakeStorage(), nameless)).disks is None
    assert run(stamp(FakeStorage(), replace(WEB, info=DomainInfo(disks=())))).disks == "[]"
