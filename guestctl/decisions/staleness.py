"""Is a managed save still true to its guest's disks?  Pure.

When a guest was saved, its disks, backing files and NVRAM are stamped.  Before a resume they
are stamped again.  A guest resumed on disks that changed meanwhile writes what it remembers
over what is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from ..model.guest import Disk, DiskKind
from ..model.save import Found, PastSave, SaveState, Stamp
from ..model.units import show_size

#: Nanoseconds since the epoch as text.
ShowTime = Callable[[int], str]

#: In nanoseconds.
_CLOCKS_DIFFER = 60 * 10**9


class Truth(StrEnum):
    """What comparing a save's stamps with the present ones brought.

    UNUSABLE: it may be true, and libvirt cannot resume from it.
    """

    SAME = "same"
    CHANGED = "changed"
    UNUSABLE = "unusable"
    NOT_THERE = "not there"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True)
class Comparison:
    """The truth of a save and the reason for it.

    known: it is one that guestctl saw being made.
    """

    truth: Truth
    reason: str = ""
    known: bool = True


def exactly(nanoseconds: int) -> str:
    """A time that needs no time zone."""
    return f"{nanoseconds / 1e9:.9f} s since 1970"


_SIZES = (show_size, lambda size: f"{size} bytes")


def compare(
    before: Iterable[Stamp], now: Mapping[Disk, Stamp], show_time: ShowTime = exactly
) -> Comparison:
    """A save's stamps with those of the same disks now.

    One changed disk speaks for all; a disk that is not there yet is no change.
    """
    verdicts = [_compare(stamp, now.get(stamp.disk), show_time) for stamp in before]
    for truth in (Truth.CHANGED, Truth.UNUSABLE, Truth.NOT_THERE, Truth.UNVERIFIABLE):
        reasons = [verdict.reason for verdict in verdicts if verdict.truth is truth]
        if reasons:
            return Comparison(truth, "; ".join(reasons))
    return Comparison(Truth.SAME)


def _compare(before: Stamp, now: Stamp | None, show_time: ShowTime) -> Comparison:
    name = before.disk.name
    if before.disk.read_only:
        return _compare_medium(before, now)
    if not _was_seen(before):
        return Comparison(Truth.UNVERIFIABLE, f"{name}: {_why_unverifiable(before)}")
    if now is None or now.found is Found.MISSING:
        return Comparison(Truth.NOT_THERE, f"{name} is not there")
    if (not _was_seen(now) and before.found is Found.PRESENT) or now.found is Found.UNREADABLE:
        return Comparison(Truth.NOT_THERE, f"{name} cannot be read")
    if changes := _changes(before, now, show_time):
        return Comparison(Truth.CHANGED, f"{name} has changed ({'; '.join(changes)})")
    if Found.UNVERIFIABLE in (before.found, now.found):
        return Comparison(Truth.UNVERIFIABLE, f"{name}: {_why_unverifiable(before)}")
    return Comparison(Truth.SAME)


def _was_seen(stamp: Stamp) -> bool:
    """Whether there is anything to compare with: of a block device, how large it was."""
    device = stamp.found is Found.UNVERIFIABLE and (stamp.disk.kind is DiskKind.BLOCK or stamp.size)
    return stamp.found is Found.PRESENT or bool(device)


def _compare_medium(before: Stamp, now: Stamp | None) -> Comparison:
    """What a guest only reads makes no save stale; libvirt refuses to resume without it."""
    name = before.disk.name
    if now is None or now.found is not Found.MISSING:
        return Comparison(Truth.SAME)
    if before.found is Found.MISSING:
        reason = f"{name}, which it only reads, is not there, and was not when it was saved"
        return Comparison(Truth.UNUSABLE, reason)
    return Comparison(Truth.NOT_THERE, f"{name}, which it only reads, is not there")


def _changes(before: Stamp, now: Stamp, show_time: ShowTime) -> list[str]:
    """What is known of both, and differs; of block devices that is their size."""
    found = []
    if before.inode != now.inode:
        found.append("another file")
    if before.size != now.size and (before.inode == now.inode != 0 or (before.size and now.size)):
        found.append(f"another size: {_then_and_now(_SIZES, before.size, now.size)}")
    if before.modified != now.modified:
        times = _then_and_now((show_time, exactly), before.modified, now.modified)
        found.append(f"modified since: {times}")
    return found


def _then_and_now(shows: tuple[Callable[[int], str], ...], before: int, now: int) -> str:
    """As roughly as still tells the two apart."""
    pairs = [(show(before), show(now)) for show in shows]
    then, today = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])
    return f"{then} when it was saved, {today} now"


def _why_unverifiable(stamp: Stamp) -> str:
    if stamp.disk.kind is DiskKind.BLOCK or _was_seen(stamp):
        return "a block device shows no changes"
    if stamp.disk.kind is DiskKind.OTHER:
        return "a disk that is no file here shows no changes"
    return "it could not be looked at when the guest was saved"


def recognise(saves: Iterable[PastSave], image: Stamp) -> PastSave | None:
    """The newest save that this image is, whatever was done to its file; None if it is none.

    image: with its content.
    What is known of it alone is that a resume from it failed: then what was known before counts.
    """
    same = [save for save in saves if (its := image_of(save)) and _is(its, image)]
    told = (save for save in same if save.state is not SaveState.BEGUN or save.stamps)
    return next(told, next(iter(same), None))


def image_of(save: PastSave) -> Stamp | None:
    """The image as it was when the save was made, as far as that is known."""
    return next(iter(from_text(save.image) or ()), None)


def _is(one: Stamp, other: Stamp) -> bool:
    """A copy of an image is the same, and so is one that was edited: the memory in it counts."""
    if one.content and other.content:
        return one.content == other.content
    return (one.found, one.size, one.modified) == (other.found, other.size, other.modified)


def is_another(save: PastSave, image: Stamp) -> bool:
    """Whether the image is surely not that of this save."""
    its = image_of(save)
    return bool(its and its.content and image.content and its.content != image.content)


def written_since(image: Stamp, disks: Iterable[Stamp], show_time: ShowTime = exactly) -> str:
    """Which disks were written to after an image of which nothing else is known; empty for none.

    Of clocks that differ a little, as those of file servers do, nothing is made.
    """
    late = [
        f"{stamp.disk.name} was written to at {show_time(stamp.modified)}"
        for stamp in disks
        if stamp.found is Found.PRESENT
        and not stamp.disk.read_only
        and stamp.modified > image.modified + _CLOCKS_DIFFER
    ]
    return f"{'; '.join(late)}, its save at {show_time(image.modified)}" if late else ""


def to_text(stamps: Iterable[Stamp]) -> str:
    """For the ledger."""
    return json.dumps([asdict(stamp) for stamp in stamps])


def from_text(text: str | None) -> tuple[Stamp, ...] | None:
    """What to_text wrote; None where there is nothing, or nothing that can be read."""
    try:
        found = json.loads(text or "null")
        return tuple(map(_stamp, found)) if isinstance(found, list) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _stamp(entry: Mapping[str, object]) -> Stamp:
    disk = entry["disk"]
    if not isinstance(disk, dict):
        raise TypeError("a stamp without a disk")
    inode, size, modified = (int(str(entry[key])) for key in ("inode", "size", "modified"))
    named = Disk(DiskKind(str(disk["kind"])), str(disk["name"]), bool(disk.get("read_only")))
    content = str(entry.get("content", ""))
    return Stamp(named, Found(str(entry["found"])), inode, size, modified, content)
