"""Of libvirt's daemons, the bus, the clock and versions, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from .host_state import NotKnown


class SetTo(NamedTuple):
    """What a file of libvirt's sets something to, and on which of its lines."""

    value: str | int | tuple[str, ...]
    file: str
    line: int

    @property
    def where(self) -> str:
        """For people."""
        return f"{self.file}:{self.line}"


#: By what it sets; nothing where the file is not there.
Settings: TypeAlias = Mapping[str, SetTo] | NotKnown


@dataclass(frozen=True)
class Daemon:
    """One of libvirt's that runs and has guests: its unit, and what its own file sets."""

    unit: str
    file: str
    settings: Settings


@dataclass(frozen=True)
class Shipped:
    """A file of guestctl's that others read: who, what for, and where it may be.

    is_there: at one of those places.  is_program: whether it can be run there.
    """

    what: str
    places: tuple[str, ...]
    is_there: bool
    is_program: bool = False


@dataclass(frozen=True)
class HostDetails:
    """daemons: those that run.  qemu: what qemu.conf sets.

    bus_policy, actions, hook: for the bus, for polkit, for libvirt.  from_package: whether a
    package has put them there.
    """

    daemons: tuple[Daemon, ...] = ()
    qemu: Settings = field(default_factory=dict)
    bus_policy: Shipped | None = None
    actions: Shipped | None = None
    hook: Shipped | None = None
    from_package: bool = True


@dataclass(frozen=True)
class Running:
    """A daemon since when, in seconds since the epoch; newer: files that it goes by, or is, and
    that have changed since."""

    unit: str
    began: float
    newer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clock:
    """is_synchronised: as the kernel was told; None where the clock is not this host's.

    up: seconds since the host was switched on.  is_local: whether the hardware clock has local
    time.
    """

    is_synchronised: bool | None = None
    up: float = 0.0
    is_local: bool = False


#: As in (12, 8, 0).
Version: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class HostRunning:
    """What can be seen of processes and versions.

    client: libvirt's library of this process.  servers: libvirt's daemon by URI.  systemd, python:
    None where that is not known.  devices: of the host's network; None where that is not known.
    """

    daemons: tuple[Running, ...] = ()
    clock: Clock = field(default_factory=Clock)
    client: Version | None = None
    servers: Mapping[str, Version] = field(default_factory=dict)
    systemd: Version | None = None
    python: Version | None = None
    devices: frozenset[str] | None = None
