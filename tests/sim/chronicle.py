"""What truly became of the simulated guests, and by whom: what tests hold results against."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from guestctl.model.guest import GuestId


class By(StrEnum):
    """Who brought it about; SOMEBODY is an administrator."""

    GUESTCTL = "guestctl"
    SOMEBODY = "somebody"
    ITSELF = "itself"
    LIBVIRT = "libvirt"
    HOST = "the host"


class Fate(StrEnum):
    """What can happen to a guest; those that are SAVED, STOPPED, CRASHED or MOVED are down."""

    BOOTED = "booted"
    RESUMED = "resumed"
    SAVED = "saved"
    STOPPED = "stopped"
    CRASHED = "crashed"
    MOVED = "moved"
    DISCARDED = "save discarded"


@dataclass(frozen=True)
class Entry:
    """One change.  image: the number of the save that it is about, 0 for none.

    wrong: what was wrong about the save that the guest was resumed from, or the moment in
    which one was discarded.
    """

    time: float
    boot: int
    guest: GuestId
    fate: Fate
    by: By
    image: int = 0
    wrong: str = ""


#: A life of the guest ends with them, or begins.
ENDS = frozenset({Fate.SAVED, Fate.STOPPED, Fate.CRASHED, Fate.MOVED})
BEGINNINGS = frozenset({Fate.BOOTED, Fate.RESUMED})
