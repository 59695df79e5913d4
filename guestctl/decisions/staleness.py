"""Is a managed save still true to its guest's disks?  Pure.

When a guest was saved, its disks, backing files and NVRAM are stamped.  Before a resume they
are stamped again.  A guest resumed on disks that changed meanwhile writes what it remembers
over what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from ..model.guest import Disk, DiskKind
from ..model.save import Found, Stamp


class Truth(StrEnum):
    """What comparing a save's stamps with the present ones brought."""

    SAME = "same"
    CHANGED = "changed"
    NOT_THERE = "not there"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True)
class Comparison:
    """The truth of a save and the reason for it."""

    truth: Truth
    reason: str = ""


def compare(before: Iterable[Stamp], now: Mapping[Disk, Stamp]) -> Comparison:
    """A save's stamps with those of the same disks now.

    One changed disk speaks for all; a disk that is not there yet is no change.
    """
    verdicts = [_compare(stamp, now.get(stamp.disk)) for stamp in before]
    for truth in (Truth.CHANGED, Truth.NOT_THERE, Truth.UNVERIFIABLE):
        reasons = [verdict.reason for verdict in verdicts if verdict.truth is truth]
        if reasons:
            return Comparison(truth, "; ".join(reasons))
    return Comparison(Truth.SAME)


def _compare(before: Stamp, now: Stamp | None) -> Comparison:
    name = before.disk.name
    if before.found is not Found.PRESENT:
        return Comparison(Truth.UNVERIFIABLE, f"{name}: {_why_unverifiable(before)}")
    if now is None or now.found is Found.MISSING:
        return Comparison(Truth.NOT_THERE, f"{name} is not there")
    if now.found is not Found.PRESENT:
        return Comparison(Truth.NOT_THERE, f"{name} cannot be read")
    changes = [
        what
        for what, was, is_now in (
            ("another file", before.inode, now.inode),
            ("another size", before.size, now.size),
            ("modified since", before.modified, now.modified),
        )
        if was != is_now
    ]
    if changes:
        return Comparison(Truth.CHANGED, f"{name} has changed ({', '.join(changes)})")
    return Comparison(Truth.SAME)


def _why_unverifiable(stamp: Stamp) -> str:
    if stamp.disk.kind is DiskKind.BLOCK:
        return "a block device shows no changes"
    if stamp.disk.kind is DiskKind.OTHER:
        return "a disk that is no file here shows no changes"
    return "it could not be looked at when the guest was saved"


def same_image(one: Stamp, other: Stamp | None) -> bool:
    """Whether two stamps are of the same save image; a copy of it counts as the same."""
    if other is None:
        return False
    return (one.found, one.size, one.modified) == (other.found, other.size, other.modified)


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
    numbers = [int(str(entry[key])) for key in ("inode", "size", "modified")]
    kind = DiskKind(str(disk["kind"]))
    return Stamp(Disk(kind, str(disk["name"])), Found(str(entry["found"])), *numbers)
