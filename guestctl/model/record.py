"""What guestctl knows of a guest, and every change of that.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .guest import GuestId
from .plan import Step
from .stop import Certainty, How, StoppedBy


class Wanted(StrEnum):
    """Whether a guest should be running, all else being well."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True)
class GuestRecord:
    """What the ledger says of one guest.

    wanted is None while nothing was decided.  up_boot is the boot during which it was last
    seen up; None once a run has seen it down, or somebody has decided.
    taken_down: a run took it down for the host's sake, and owes it a start.
    tried: the steps of preserves that were begun with it during that boot, where it was.
    held_for_save: guestctl itself holds it, because of its managed save.
    unsettled: the boot in which it was turned off, as long as a host that goes down would make
    that the host's doing ([shutdown] settle).
    how, certainty: of its stop, as far as that is known.
    """

    id: GuestId
    name: str
    wanted: Wanted | None = None
    stopped_by: StoppedBy | None = None
    stopped_at: int | None = None
    up_boot: str | None = None
    taken_down: bool = False
    hold: str | None = None
    held_for_save: bool = False
    unsettled: str | None = None
    tried: frozenset[Step] = frozenset()
    how: How | None = None
    certainty: Certainty | None = None
