"""A guest as `list` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .guest import GuestId, State
from .record import Wanted
from .stop import Certainty, How, StoppedBy


@dataclass(frozen=True)
class Row:
    """One guest; see the command contract in docs/reference/commands.md for the fields.

    saved, autostart, next_boot are None where its connection could not be read; wanted and
    next_boot where the ledger could not be.
    up_since: when it was first seen up, in nanoseconds since the epoch.
    unready: why it was not ready in time though it is up.
    shed: why it is shed: down while its host stays up, until `resume`.
    waiting: why this boot could not bring it up so far, where it is still tried.
    given_up: the same, where it is not: it comes with what it needs, or by a person.
    reason: why the next boot does what it does.  why_wanted: why it is wanted on, or off.
    """

    name: str
    uuid: str
    uri: str
    state: State
    saved: bool | None
    wanted: Wanted | None
    up_since: int | None
    stopped_by: StoppedBy | None
    stopped_at: int | None
    stopped_how: How | None
    certainty: Certainty | None
    autostart: bool | None
    held: str | None
    unready: str | None
    waiting: str | None
    given_up: str | None
    shed: str | None
    next_boot: NextBoot | None
    reason: str
    why_wanted: str

    @property
    def id(self) -> GuestId:
        """Which guest it is."""
        return GuestId(self.uri, self.uuid)

    @property
    def is_off_by_libvirt_guests(self) -> bool:
        """That was nobody's word about it, and it stays off as long as the host is up."""
        is_off = self.state is State.SHUT_OFF and self.wanted is Wanted.ON and self.held is None
        return is_off and self.stopped_by is StoppedBy.LIBVIRT_GUESTS


class NextBoot(StrEnum):
    """What the next boot of the host does with a guest."""

    RESUME = "resume"
    START = "start"
    STAY_DOWN = "stay-down"
    HELD = "held"
