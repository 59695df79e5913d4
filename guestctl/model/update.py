"""What a pass over a guest has found, to be written all at once."""

from __future__ import annotations

from dataclasses import dataclass

from .guest import GuestId
from .history import Note
from .record import GuestRecord
from .stop import Verdict


@dataclass(frozen=True)
class Update:
    """What is to be written of one guest at the end of a pass over it.

    record: as it is from now on; None for no change.  verdict: of its stop.  remarks: further
    lines of its trail.  is_up: no save that was made before may be resumed from any more.
    """

    guest: GuestId
    record: GuestRecord | None = None
    verdict: Verdict | None = None
    remarks: tuple[Note, ...] = ()
    is_up: bool = False
