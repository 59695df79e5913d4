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
    read_only: the guest cannot write to it, and so remembers nothing of it that could be lost: a
    CD-ROM, a floppy, a disk that is read-only.
    """

    kind: DiskKind
    name: str
    read_only: bool = False


class OwnSetting(NamedTuple):
    """A setting that a guest's own XML gives, as it stands there; whether it is sound is open."""

    key: str
    value: str


@dataclass(frozen=True)
class DomainInfo:
    """What a guest's XML says of it.

    unsavable: reasons why it must not be saved.  manager: the program that it belongs to.
    disks are None where the XML could not be read.  digest tells whether the XML that the guest
    will be started with is still the same; empty where that is not known.
    has_agent: whether a guest agent in it is connected.
    restarts: whether it is started anew when it powers itself off (on_poweroff).
    policy: what the XML that it will be started with says of its settings; policy_faults: what
    there cannot be understood as such.
    """

    unsavable: tuple[str, ...] = ()
    manager: str | None = None
    disks: tuple[Disk, ...] | None = None
    digest: str = ""
    has_agent: bool = False
    restarts: bool = False
    policy: tuple[OwnSetting, ...] = ()
    policy_faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class GuestFacts:
    """What was observed of one guest.

    reason is libvirt's word for how the state came about, such as "migrated".
    memory is in bytes.  autostart_once: libvirt is to start it at one boot, the next, as far as
    that was asked of libvirt.
    """

    id: GuestId
    name: str
    state: State
    reason: str = "unknown"
    persistent: bool = True
    autostart: bool = False
    saved: bool = False
    memory: int = 0
    autostart_once: bool = False
    info: DomainInfo = field(default_factory=DomainInfo)

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
    def ending(self) -> bool:
        """Whether it has shut itself down, and only its QEMU is left: a backup can keep that."""
        return self.state is State.IN_SHUTDOWN

    @property
    def saving(self) -> bool:
        """Whether a managed save, or another, of it is under way."""
        return self.state is State.PAUSED and self.reason == "saving"

    @property
    def down(self) -> bool:
        """Whether there is surely none.  A guest of unknown state is neither up nor down."""
        return self.state is State.SHUT_OFF
