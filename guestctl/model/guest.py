"""The words of guestctl as values: guests, states, events, steps, plans, results.

Everything here is immutable and knows nothing of libvirt, of files or of clocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class GuestId(NamedTuple):
    """What stays the same when a guest is renamed: the connection's URI and the UUID."""

    uri: str
    uuid: str


class State(StrEnum):
    """libvirt's own words, as `virsh domstate` prints them, and `unknown`."""

    NO_STATE = "no state"
    RUNNING = "running"
    IDLE = "idle"
    PAUSED = "paused"
    IN_SHUTDOWN = "in shutdown"
    SHUT_OFF = "shut off"
    CRASHED = "crashed"
    PMSUSPENDED = "pmsuspended"
    UNKNOWN = "unknown"


class DiskKind(StrEnum):
    """Where a disk is, as far as it matters for telling whether it changed."""

    FILE = "file"
    BLOCK = "block"
    OTHER = "other"


@dataclass(frozen=True)
class Disk:
    """Something that a guest stores data in: a disk image, a backing file, its NVRAM.

    name is a path for files and block devices, else something to tell it by.
    """

    kind: DiskKind
    name: str


@dataclass(frozen=True)
class Nature:
    """What a guest's XML says of it.

    unsavable: reasons why it must not be saved.  manager: the program that it belongs to.
    disks are None where the XML could not be read.  digest tells whether the XML that the guest
    will be started with is still the same; empty where that is not known.
    has_agent: whether a guest agent in it is connected.
    """

    unsavable: tuple[str, ...] = ()
    manager: str | None = None
    disks: tuple[Disk, ...] | None = None
    digest: str = ""
    has_agent: bool = False


@dataclass(frozen=True)
class GuestFacts:
    """What was observed of one guest.

    reason is libvirt's word for how the state came about, such as "migrated".
    memory is in bytes.
    """

    id: GuestId
    name: str
    state: State
    reason: str = "unknown"
    persistent: bool = True
    autostart: bool = False
    saved: bool = False
    memory: int = 0
    nature: Nature = field(default_factory=Nature)

    @property
    def up(self) -> bool:
        """Whether a machine exists that would lose its memory with the host."""
        return not self.down and self.state is not State.UNKNOWN

    @property
    def starting(self) -> bool:
        """Whether libvirt is just starting it, which may fail: it shows it as paused then."""
        return self.state is State.PAUSED and self.reason == "starting up"

    @property
    def in_transit(self) -> bool:
        """Whether it is paused for a migration, which may fail: it runs on the other host, too."""
        return self.state is State.PAUSED and self.reason == "migrating"

    @property
    def started(self) -> bool:
        """Whether it is up, and libvirt through with starting it."""
        return self.up and not self.starting

    @property
    def saving(self) -> bool:
        """Whether a managed save, or another, of it is under way."""
        return self.state is State.PAUSED and self.reason == "saving"

    @property
    def down(self) -> bool:
        """Whether there is surely none.  A guest of unknown state is neither up nor down."""
        return self.state is State.SHUT_OFF


class Step(StrEnum):
    """What a run does to a guest: down with the first three, up with the others."""

    SAVE = "save"
    SHUTDOWN = "shutdown"
    POWEROFF = "poweroff"
    RESUME = "resume"
    START = "start"


class Method(StrEnum):
    """Ways to ask a guest to shut down."""

    AGENT = "agent"
    ACPI = "acpi"


class Scope(StrEnum):
    """Which guests a step is for."""

    ALL = "all"
    PERSISTENT = "persistent"
    TRANSIENT = "transient"
    NONE = "none"


class Unverifiable(StrEnum):
    """What to do with a save whose truth cannot be told."""

    RESUME = "resume"
    HOLD = "hold"


class SaveDecision(StrEnum):
    """What a person decided about a save that guestctl would not resume by itself."""

    RESUME_ANYWAY = "resume-anyway"
    DISCARD_SAVE = "discard-save"


class RunKind(StrEnum):
    """What a run is for."""

    PRESERVE = "preserve"
    SHUTDOWN = "shutdown"
    RESTORE = "restore"


class Door(StrEnum):
    """What triggered a run."""

    COMMAND = "command"
    HOST_STOP = "host-stop"
    BOOT = "boot"
    CANCELLED = "cancelled"
    USER_SHUTDOWN = "user-shutdown"


class Wanted(StrEnum):
    """Whether a guest should be running, all else being well."""

    ON = "on"
    OFF = "off"


class StoppedBy(StrEnum):
    """Who stopped a guest."""

    USER = "user"
    ADMINISTRATOR = "administrator"
    HOST = "host"
    OPERATOR = "operator"
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
        what = f"{self.how or 'stopped'}{_BY.get(self.who, '')}"
        return f"{what} ({self.certainty}): {'; '.join(self.evidence)}"


_BY = {
    StoppedBy.USER: " by its user",
    StoppedBy.ADMINISTRATOR: " by an administrator",
    StoppedBy.HOST: " by the host",
    StoppedBy.OPERATOR: " by an operator",
    StoppedBy.UNKNOWN: " by somebody",
}


class UserAction(StrEnum):
    """What comes of a guest that its user shut down."""

    KEEP_DOWN = "keep-down"
    RESTART = "restart"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Known:
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
    """One recorded save: what it took in seconds, or how libvirt refused it."""

    guest: GuestId
    memory: int
    digest: str
    seconds: float | None
    state: SaveState
    refusal: str | None


class NextBoot(StrEnum):
    """What the next boot of the host does with a guest."""

    RESUME = "resume"
    START = "start"
    STAY_DOWN = "stay-down"
    HELD = "held"


class Outcome(StrEnum):
    """How a run ended for one guest."""

    SAVED = "saved"
    SHUT_DOWN = "shut-down"
    POWERED_OFF = "powered-off"
    RESUMED = "resumed"
    STARTED = "started"
    SKIPPED = "skipped"
    HELD = "held"
    GONE = "gone"
    UNKNOWN = "unknown"
    FAILED = "failed"


_BAD = frozenset({Outcome.HELD, Outcome.UNKNOWN, Outcome.FAILED})


def is_bad(kind: RunKind, outcome: Outcome) -> bool:
    """Whether the outcome leaves a guest where it should not be.

    One that moved away need not be taken to safety; one that is gone cannot be brought back.
    """
    return outcome in _BAD or (outcome is Outcome.GONE and kind is RunKind.RESTORE)


class StepEnd(StrEnum):
    """How one step ended."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class StepPlan:
    """One step that a run will try, for at most `timeout` seconds.

    estimate: how many seconds it will take, going by earlier ones; None without any.
    """

    step: Step
    timeout: float
    estimate: float | None = None


@dataclass(frozen=True)
class GuestPlan:
    """What a run will do to one guest, and why.

    steps are tried in order until one succeeds; left_out are the steps that policy or
    the guest's own nature excludes, each with the reason.
    verdict is set when nothing will be done.
    """

    guest: GuestFacts
    steps: tuple[StepPlan, ...] = ()
    left_out: tuple[tuple[Step, str], ...] = ()
    verdict: Outcome | None = None
    reason: str = ""

    @property
    def saves(self) -> bool:
        """Whether a managed save is among the steps."""
        return any(planned.step is Step.SAVE for planned in self.steps)


@dataclass(frozen=True)
class Plan:
    """Facts and policy brought together: the same value for `plan`, a run, logs and tests."""

    kind: RunKind
    guests: tuple[GuestPlan, ...]


@dataclass(frozen=True)
class StepResult:
    """How one step went; seconds is how long it took.

    refused: libvirt will not do it as long as the guest is as it is.
    """

    step: Step
    end: StepEnd
    seconds: float
    reason: str = ""
    refused: bool = False


@dataclass(frozen=True)
class GuestResult:
    """How a run ended for one guest, with every step that was tried."""

    guest: GuestId
    name: str
    outcome: Outcome
    steps: tuple[StepResult, ...] = ()
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    lost names each connection that could not be read, with the reason: what is behind
    it is unknown.
    """

    kind: RunKind
    run: int | None
    guests: tuple[GuestResult, ...]
    lost: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every guest is where it should be."""
        bad = any(is_bad(self.kind, guest.outcome) for guest in self.guests)
        return not (bad or self.lost or self.interrupted)
