"""Is a save still true to its disks?  And what the ledger keeps of them is what it gives back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.decisions.staleness import (
    Truth,
    compare,
    from_text,
    is_another,
    recognise,
    to_text,
    written_since,
)
from guestctl.model.guest import Disk, DiskKind
from guestctl.model.save import Found, PastSave, SaveState, Stamp
from tests.unit.makers import texts

A, B = Disk(DiskKind.FILE, "/a"), Disk(DiskKind.FILE, "/b")
SEEN = Stamp(A, Found.PRESENT, 7, 100, 1_000)
OTHER = Stamp(B, Found.PRESENT, 8, 200, 2_000)

numbers = st.integers(0, 2**64)
disks = st.builds(Disk, st.sampled_from(DiskKind), texts)
stamps = st.builds(Stamp, disks, st.sampled_from(Found), numbers, numbers, numbers)
present = st.builds(Stamp, disks, st.just(Found.PRESENT), numbers, numbers, numbers)
#: As they are recorded: each disk once.
recorded = st.lists(stamps, max_size=6, unique_by=lambda stamp: stamp.disk)


def now(*seen: Stamp) -> dict[Disk, Stamp]:
    """Stamps by their disks, as Storage hands them over."""
    return {stamp.disk: stamp for stamp in seen}


@given(st.lists(present, max_size=6, unique_by=lambda stamp: stamp.disk))
def test_what_is_as_before_is_the_same(seen: list[Stamp]) -> None:
    found = compare(seen, now(*seen))
    assert (found.truth, found.reason) == (Truth.SAME, "")


CHANGES = [
    (replace(SEEN, inode=1), "another file"),
    (replace(SEEN, size=2**20), "another size: 0MiB when it was saved, 1MiB now"),
    (replace(SEEN, size=1), "another size: 100 bytes when it was saved, 1 bytes now"),
    (
        replace(SEEN, modified=1),
        "modified since: 0.000001000 s since 1970 when it was saved, 0.000000001 s since 1970 now",
    ),
]


def test_it_is_said_when_it_changed() -> None:
    """As roughly as still tells the two apart."""
    before, later = replace(SEEN, modified=60 * 10**9), replace(SEEN, modified=120 * 10**9)
    found = compare([before], now(later), lambda at: f"{at // 10**9} s")
    assert "modified since: 60 s when it was saved, 120 s now" in found.reason
    found = compare([before], now(later), lambda _: "today")
    assert "modified since: 60.000000000 s since 1970 when it was saved" in found.reason


@pytest.mark.parametrize(("seen", "said"), CHANGES)
def test_every_number_counts(seen: Stamp, said: str) -> None:
    found = compare([SEEN, OTHER], now(seen, OTHER))
    assert found.truth is Truth.CHANGED
    assert found.reason == f"/a has changed ({said})"


def test_a_file_that_went_back_in_time_has_changed() -> None:
    """A disk restored from a backup is older than the save."""
    assert compare([SEEN], now(replace(SEEN, modified=0))).truth is Truth.CHANGED


@pytest.mark.parametrize("found", [Found.MISSING, Found.UNREADABLE, Found.UNVERIFIABLE])
def test_a_disk_that_cannot_be_seen_now_is_no_change(found: Found) -> None:
    answer = compare([SEEN], now(Stamp(A, found)))
    assert answer.truth is Truth.NOT_THERE
    assert answer.reason.startswith("/a ")


def test_a_disk_that_was_not_looked_at_now_is_not_there() -> None:
    assert compare([SEEN], {}).truth is Truth.NOT_THERE


UNVERIFIABLE = [
    (Stamp(Disk(DiskKind.BLOCK, "/dev/x"), Found.UNVERIFIABLE), "a block device"),
    (Stamp(Disk(DiskKind.OTHER, "rbd x"), Found.UNVERIFIABLE), "no file here"),
    (Stamp(A, Found.MISSING), "could not be looked at"),
    (Stamp(A, Found.UNREADABLE), "could not be looked at"),
]


@pytest.mark.parametrize(("before", "said"), UNVERIFIABLE)
def test_what_was_never_seen_cannot_be_verified(before: Stamp, said: str) -> None:
    answer = compare([before], now(replace(before, found=Found.PRESENT)))
    assert answer.truth is Truth.UNVERIFIABLE
    assert said in answer.reason


LV = Stamp(Disk(DiskKind.BLOCK, "/dev/vg/x"), Found.UNVERIFIABLE, size=2**30)


def test_of_a_block_device_its_size_is_known() -> None:
    found = compare([LV], now(replace(LV, size=2**31)))
    assert found.truth is Truth.CHANGED
    assert found.reason == "/dev/vg/x has changed (another size: 1GiB when it was saved, 2GiB now)"
    assert compare([LV], now(LV)).truth is Truth.UNVERIFIABLE
    assert compare([replace(LV, size=0)], now(LV)).truth is Truth.UNVERIFIABLE


def test_a_block_device_that_is_not_there_yet_is_waited_for() -> None:
    assert compare([LV], now(Stamp(LV.disk, Found.MISSING))).truth is Truth.NOT_THERE


def test_a_device_in_the_place_of_a_file_is_another() -> None:
    device = replace(LV, disk=A)
    assert compare([SEEN], now(device)).truth is Truth.CHANGED
    assert compare([device], now(SEEN)).truth is Truth.CHANGED
    assert compare([device], now(device)).truth is Truth.UNVERIFIABLE


# What a guest only reads

CD = Stamp(replace(A, read_only=True), Found.PRESENT, 7, 100, 1_000)


@pytest.mark.parametrize("seen", [CD, replace(CD, inode=1, size=1, modified=1), LV])
def test_what_is_only_read_makes_no_save_stale(seen: Stamp) -> None:
    assert compare([CD], now(replace(seen, disk=CD.disk))).truth is Truth.SAME


def test_without_it_libvirt_would_not_resume() -> None:
    gone = Stamp(CD.disk, Found.MISSING)
    assert compare([CD], now(gone)).truth is Truth.NOT_THERE
    assert compare([gone], now(CD)).truth is Truth.SAME
    assert compare([gone], now(gone)).truth is Truth.UNUSABLE


def test_one_changed_disk_speaks_for_all() -> None:
    block = UNVERIFIABLE[0][0]
    changed = replace(SEEN, size=1)
    assert compare([block, OTHER, SEEN], now(changed)).truth is Truth.CHANGED
    assert compare([block, OTHER], {}).truth is Truth.NOT_THERE


def test_every_changed_disk_is_named() -> None:
    found = compare([SEEN, OTHER], now(replace(SEEN, size=1), replace(OTHER, inode=1)))
    assert "/a has changed" in found.reason
    assert "/b has changed" in found.reason


@given(recorded, recorded)
def test_a_comparison_says_why_unless_all_is_the_same(
    before: list[Stamp], seen: list[Stamp]
) -> None:
    found = compare(before, now(*seen))
    assert (found.truth is Truth.SAME) == (found.reason == "")
    if found.truth is Truth.SAME:
        assert all(now(*seen)[stamp.disk] == stamp for stamp in before)


# The image


def saved(image: Stamp | None, state: SaveState = SaveState.DONE) -> PastSave:
    return PastSave(state, to_text([image]) if image else None, None, None)


IMAGE = replace(SEEN, content="memory")


@given(stamps, disks, numbers)
def test_a_copy_of_an_image_is_the_same_image(stamp: Stamp, disk: Disk, inode: int) -> None:
    assert recognise([saved(stamp)], replace(stamp, disk=disk, inode=inode))


@pytest.mark.parametrize("differs", [{"size": 1}, {"modified": 1}, {"inode": 1}])
def test_an_image_that_was_edited_is_the_same_image(differs: dict[str, int]) -> None:
    edited = replace(IMAGE, **differs)  # type: ignore[arg-type]  # by name
    assert recognise([saved(IMAGE)], edited) == saved(IMAGE)
    assert not is_another(saved(IMAGE), edited)


def test_another_memory_is_another_image() -> None:
    other = replace(IMAGE, content="another")
    assert recognise([saved(IMAGE)], other) is None
    assert is_another(saved(IMAGE), other)


@pytest.mark.parametrize(
    "other", [replace(SEEN, size=1), replace(SEEN, modified=1), Stamp(A, Found.MISSING)]
)
def test_where_contents_are_not_known_size_and_time_tell(other: Stamp) -> None:
    assert recognise([saved(SEEN)], other) is None
    assert recognise([saved(IMAGE)], other) is None
    assert not is_another(saved(IMAGE), other)


def test_the_newest_save_of_an_image_counts() -> None:
    used = saved(IMAGE, SaveState.RESUMED)
    assert recognise([saved(None), used, saved(IMAGE)], IMAGE) is used


MINUTES = 60 * 10**9


def test_a_disk_that_is_newer_than_an_unknown_image_speaks_against_it() -> None:
    later = replace(SEEN, modified=IMAGE.modified + 2 * MINUTES)
    assert "/a was written to" in written_since(IMAGE, [OTHER, later])
    assert not written_since(IMAGE, [replace(SEEN, modified=IMAGE.modified + MINUTES)])
    assert not written_since(IMAGE, [replace(later, disk=CD.disk)])
    assert not written_since(IMAGE, [replace(later, found=Found.UNVERIFIABLE)])


# As text


@given(st.lists(stamps, max_size=6))
def test_what_is_written_is_read(seen: list[Stamp]) -> None:
    assert from_text(to_text(seen)) == tuple(seen)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(st.text() | anything.map(json.dumps))
def test_garbage_is_nothing_and_no_error(text: str) -> None:
    found = from_text(text)
    assert found is None or found == ()


keys = st.sampled_from(["disk", "found", "inode", "size", "modified"])


@given(keys, anything)
def test_a_stamp_with_a_garbled_field_is_no_error(key: str, value: object) -> None:
    (entry,) = json.loads(to_text([SEEN]))
    found = from_text(json.dumps([{**entry, key: value}]))
    assert found is None or isinstance(found[0], Stamp)


@given(st.integers(0, 200), st.integers(0, 255))
def test_flipped_bytes_are_no_error(place: int, value: int) -> None:
    text = bytearray(to_text([SEEN, OTHER]).encode())
    text[place % len(text)] = value
    found = from_text(text.decode(errors="replace"))
    assert found is None or all(isinstance(stamp, Stamp) for stamp in found)


GARBAGE = [None, "", "null", "[[]]", "[{}]", "[null]", "[" * 100_000, '[{"disk": "x"}]']
GARBAGE += ["1" + "0" * 5000, f"[{'9' * 5000}]", "NaN", "[1]", '"text"']


@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: repr(text)[:30])
def test_what_cannot_be_read_is_nothing(text: str | None) -> None:
    assert from_text(text) is None


@pytest.mark.parametrize("text", ["{}", '""'])
def test_what_is_no_list_is_nothing(text: str) -> None:
    """No stamps at all would be the same as before, whatever became of the disks."""
    assert from_text(text) is None
