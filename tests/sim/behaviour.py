"""The vocabulary of simulated guests: how each behaves, well or badly."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from math import inf

from guestctl.host.libvirt.domain_xml import read_domain_info
from guestctl.model.event import JobKind
from guestctl.model.guest import DiskKind, DomainInfo

from .observed import MIB as MIB
from .observed import Observed

#: Of no meaning but to be always the same: a guest's UUID follows from its name.
_NAMESPACE = uuid.UUID("c1b1e7a0-5a0c-4f57-9d6c-0d2f6f1f7b11")


def uuid_of(name: str) -> str:
    """The UUID of the guest first made under this name."""
    return str(uuid.uuid5(_NAMESPACE, name))


@cache
def nature_of(name: str, disk: DiskKind, xml: str) -> DomainInfo:
    """What guestctl reads in the XML of a guest."""
    source = {
        DiskKind.FILE: f"<disk type='file'><source file='/images/{name}.qcow2'/></disk>",
        DiskKind.BLOCK: f"<disk type='block'><source dev='/dev/vg/{name}'/></disk>",
        DiskKind.OTHER: f"<disk type='network'><source protocol='rbd' name='{name}'/></disk>",
    }[disk]
    return read_domain_info(f"<domain><devices>{source}</devices>{xml}</domain>")


class Agent(StrEnum):
    """The guest agent: not configured, not running in the guest, working, or hanging.

    DEAF takes the request to shut down, and nothing comes of it.
    """

    NONE = "none"
    ABSENT = "absent"
    WORKS = "works"
    HANGS = "hangs"
    DEAF = "deaf"


class Abort(StrEnum):
    """What virDomainAbortJob does: LATE means that the job was done all the same."""

    WORKS = "works"
    IGNORED = "ignored"
    REFUSED = "refused"
    LATE = "late"


class Image(StrEnum):
    """A managed-save image: INCOMPLETE ones are ignored at start, BROKEN ones fail it."""

    NONE = "none"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    BROKEN = "broken"


@dataclass(frozen=True)
class Button:
    """The ACPI button: the guest is off so many seconds after the n-th press it hears."""

    after: float = 2.0
    press: int = 1


IGNORED_BUTTON = Button(after=inf)


@dataclass(frozen=True)
class Save:
    """How a managed save goes: its seconds (inf: it hangs), the error it ends with, its abort.

    wreck: whether libvirt leaves the file when it comes to nothing.
    helper: for how many seconds after a new libvirtd is there the helper of one that was killed in
    mid-save writes on; nobody else can write the file meanwhile.
    """

    after: float = 5.0
    fails: str = ""
    abort: Abort = Abort.WORKS
    wreck: bool = False
    helper: float = 0.0


@dataclass(frozen=True)
class Start:
    """How a start goes: its seconds (inf: it hangs), and how often it fails first."""

    after: float = 1.0
    fails: int = 0
    message: str = "internal error: process exited while connecting to monitor"


@dataclass(frozen=True)
class OtherJob:
    """A job that somebody else began: at the end of a save or migration the guest is down."""

    kind: JobKind
    ends: float = inf
    abort: Abort = Abort.WORKS


@dataclass(frozen=True)
class Behaviour:
    """How a guest behaves.

    boots: after a start it hears nothing for so long.
    kill: seconds until it is gone after poweroff (inf: the call never returns).
    unkillable: its process is stuck in the kernel, and poweroff fails.
    frozen: its QEMU answers nothing; wedged: libvirtd answers nothing about it either.
    lingers: once it has shut itself down its process stays for so long, as with a backup.
    writes: to its disk, whenever it runs.
    address, accepts: how long after it began to run libvirt knows an address of it, and
    connections to that are accepted.
    """

    button: Button = field(default_factory=Button)
    boots: float = 0.0
    agent: Agent = Agent.NONE
    agent_after: float = 1.0
    save: Save = field(default_factory=Save)
    start: Start = field(default_factory=Start)
    kill: float = 0.5
    unkillable: bool = False
    lingers: float = 0.0
    wakes: bool = True
    loses_events: bool = False
    frozen: bool = False
    wedged: bool = False
    writes: bool = True
    address: float = inf
    accepts: float = inf


@dataclass(frozen=True)
class GuestSpec(Observed):
    """A guest as a test describes it: what is observed of it, and what only the simulation knows.

    image: its managed save, where there is more to say than that it is saved.
    xml: what its domain XML holds beside a disk of the given kind.
    defined: whether it is there from the beginning.
    """

    image: Image = Image.NONE
    behaviour: Behaviour = field(default_factory=Behaviour)
    job: OtherJob | None = None
    booted: float = inf  #: how many seconds ago it was booted
    disk: DiskKind = DiskKind.FILE
    xml: str = ""
    defined: bool = True

    @property
    def managed_save(self) -> Image:
        """What it was saved to before the story begins."""
        return Image.COMPLETE if self.saved and self.image is Image.NONE else self.image

    @property
    def info(self) -> DomainInfo:
        """What guestctl reads in its XML."""
        info = nature_of(self.name, self.disk, self.xml)
        return replace(
            info,
            unsavable=self.unsavable or info.unsavable,
            manager=self.manager or info.manager,
            disks=info.disks if self.disks == () else self.disks,
            digest=self.digest or info.digest,
            has_agent=self.has_agent or info.has_agent,
            restarts=self.restarts or info.restarts,
            policy=self.policy or info.policy,
            policy_faults=self.policy_faults or info.policy_faults,
        )
