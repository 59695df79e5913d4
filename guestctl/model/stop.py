"""Who stopped a guest, how, how sure that is, and what that is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .event import GuestEvent
from .plan import Step


class StoppedBy(StrEnum):
    """Who stopped a guest."""

    USER = "user"
    ADMINISTRATOR = "administrator"
    HOST = "host"
    OPERATOR = "operator"
    LIBVIRT_GUESTS = "libvirt-guests"
    CRASH = "crash"
    MOVED = "moved"
    UNKNOWN = "unknown"


class How(StrEnum):
    """In which way a guest stopped."""

    SHUT_DOWN = "shut down"
    POWERED_OFF = "powered off"
    SAVED = "saved"
    HIBERNATED = "hibernated"
    CRASHED = "crashed"
    MOVED = "moved"


class Certainty(StrEnum):
    """How sure a verdict is: events tell; they leave something open; or nobody watched."""

    OBSERVED = "observed"
    LIKELY = "likely"
    INFERRED = "inferred"


@dataclass(frozen=True)
class Verdict:
    """Who stopped a guest, how, how sure that is, and what it rests on.

    how is None where it is not known.
    """

    who: StoppedBy
    how: How | None
    certainty: Certainty
    evidence: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.summary}: {'; '.join(self.evidence)}"

    @property
    def summary(self) -> str:
        """Without what it rests on, as in "shut down by its user (likely)"."""
        return f"{self.how or 'stopped'}{_BY.get(self.who, '')} ({self.certainty})"


_BY = {
    StoppedBy.USER: " by its user",
    StoppedBy.ADMINISTRATOR: " by an administrator",
    StoppedBy.HOST: " by the host",
    StoppedBy.OPERATOR: " by an operator",
    StoppedBy.LIBVIRT_GUESTS: " by libvirt-guests",
    StoppedBy.UNKNOWN: " by somebody",
}


#: What libvirt says of a guest that went down by one of our steps, and by nothing else.
_REASON_OF = {Step.SAVE: "saved", Step.SHUTDOWN: "shutdown", Step.POWEROFF: "destroyed"}


_TELLING = frozenset({*_REASON_OF.values(), "from snapshot"})


@dataclass(frozen=True)
class Heard:
    """What was heard of a guest by somebody who listened.

    events: those that count, oldest first, see `remember`.
    since: from when on none was missed, in seconds on their clock.
    monitored: whether the driver passes on the events of QEMU's monitor.
    started: when this life of the guest began, where that was heard.
    """

    events: tuple[GuestEvent, ...] = ()
    since: float = 0.0
    monitored: bool = True
    started: float | None = None


@dataclass(frozen=True)
class Intent:
    """What guestctl itself had begun to do with a guest, and on whose account."""

    by: StoppedBy
    steps: frozenset[Step]

    def explains(self, reason: str) -> bool:
        """Whether a guest of which libvirt says this may have gone down by these steps.

        "unknown" tells nothing: libvirtd was restarted.
        """
        return reason not in _TELLING or reason in {_REASON_OF.get(step) for step in self.steps}


@dataclass(frozen=True)
class RivalStop:
    """libvirt-guests.service was stopped in this boot, which was to take these guests down.

    guests: UUIDs of those that ran then.  began, ended: of its stop, in seconds on the loop's
    clock; ended is None while that goes on.
    """

    guests: frozenset[str]
    began: float
    ended: float | None = None

    def covers(self, moment: float, late: float = 0.0) -> bool:
        """Whether a moment is within its stop, or so many seconds after it."""
        return self.began <= moment and (self.ended is None or moment <= self.ended + late)
