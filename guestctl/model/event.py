"""What is heard of guests, and what they are busy with, as values.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .guest import GuestId


class EventKind(StrEnum):
    """libvirt's lifecycle events (virDomainEventType), those of guest agents, and QEMU's own."""

    DEFINED = "defined"
    UNDEFINED = "undefined"
    STARTED = "started"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    STOPPED = "stopped"
    SHUTDOWN = "shutdown"
    PMSUSPENDED = "pmsuspended"
    CRASHED = "crashed"
    OTHER = "other"
    AGENT = "agent"
    MONITOR = "monitor"


@dataclass(frozen=True)
class GuestEvent:
    """Something happened to a guest; detail is libvirt's or QEMU's word for what.

    Of QEMU's events: cause is its reason or action, by_guest whether the guest itself did it.
    at: when it was heard, in seconds on the clock of asyncio's loop.
    """

    guest: GuestId
    name: str
    kind: EventKind
    detail: str = ""
    cause: str = ""
    by_guest: bool = False
    at: float = 0.0


class JobKind(StrEnum):
    """What a guest is busy with (virDomainJobOperation), or one of its disks is
    (virDomainBlockJobType)."""

    SAVE = "save"
    MIGRATION = "migration"
    BACKUP = "backup"
    SNAPSHOT = "snapshot"
    DUMP = "dump"
    PULL = "block pull"
    COPY = "block copy"
    COMMIT = "block commit"
    OTHER = "job"


@dataclass(frozen=True)
class Job:
    """A running libvirt job and how far it is, in bytes; disk: of a block job, by its target."""

    kind: JobKind
    done: int = 0
    total: int = 0
    disk: str = ""

    def __str__(self) -> str:
        return f"{self.kind} of {self.disk}" if self.disk else self.kind

    @property
    def fraction(self) -> float | None:
        """Progress from 0 to 1; None while libvirt does not tell."""
        return min(1.0, self.done / self.total) if self.total > 0 else None
