"""What truly became of the simulated guests, and by whom: what tests hold results against."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from guestctl.model import GuestId


class By(StrEnum):
    """Who brought it about; SOMEBODY is an administrator."""

    GUESTCTL = "guestctl"
    SOMEBODY = "somebody"
    ITSELF = "itself"
    LIBVIRT = "libvirt"
    HOST = "the host"


class Fate(StrEnum):
    """What can happen to a guest; SAVED ones are down, WRECKED is a save that came to nothing."""

    BOOTED = "booted"
    RESUMED = "resumed"
    SAVED = "saved"
    STOPPED = "stopped"
    MOVED = "moved"
    DISCARDED = "save discarded"
    WRECKED = "save wrecked"


@dataclass(frozen=True)
class Entry:
    """One change.  image: the number of the save that it is about, 0 for none.

    wrong: what was wrong about the save that the guest was resumed from.
    """

    time: float
    boot: int
    guest: GuestId
    fate: Fate
    by: By
    image: int = 0
    wrong: str = ""
