"""Is a save still true to its disks?  And what the ledger keeps of them is what it gives back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.decisions.staleness import Truth, compare, from_text, same_image, to_text
from guestctl.model.guest import Disk, DiskKind
from guestctl.model.save import Found, Stamp
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
    (replace(SEEN, size=1), "another size"),
    (replace(SEEN, modified=1), "modified since"),
]


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


@given(stamps, disks, numbers)
def test_a_copy_of_an_image_is_the_same_image(stamp: Stamp, disk: Disk, inode: int) -> None:
    assert same_image(stamp, replace(stamp, disk=disk, inode=inode))


@pytest.mark.parametrize(
    "other", [None, replace(SEEN, size=1), replace(SEEN, modified=1), Stamp(A, Found.MISSING)]
)
def test_another_image_is_another(other: Stamp | None) -> None:
    assert not same_image(SEEN, other)


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
