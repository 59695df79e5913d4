"""Managed saves, and what the files behind them looked like."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .guest import Disk, GuestId


class SaveState(StrEnum):
    """What is known of a managed save.

    RESUMING is committed before the call that resumes the guest from it, RESUMED once the
    guest was seen up after that.
    """

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    RESUMING = "resuming"
    RESUMED = "resumed"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class PastSave:
    """A guest's newest save; image and stamps are text of staleness.py.

    boot: during which boot it was resumed from, for RESUMING.
    """

    state: SaveState
    image: str | None
    stamps: str | None
    boot: str | None


@dataclass(frozen=True)
class SaveRecord:
    """One recorded save: what it took in seconds, or how libvirt refused it; run: whose it was."""

    guest: GuestId
    memory: int
    digest: str
    seconds: float | None
    state: SaveState
    refusal: str | None
    run: int | None = None


class Found(StrEnum):
    """What looking at a disk brought."""

    PRESENT = "present"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True)
class Stamp:
    """A disk as it was seen at one time; the numbers are stat(2)'s, the time in nanoseconds.

    content: of a save image: what tells the memory in it from any other; empty if unknown.
    """

    disk: Disk
    found: Found
    inode: int = 0
    size: int = 0
    modified: int = 0
    content: str = ""
