"""What guests need of their host to be started, and what there is of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .guest import GuestId
from .host_state import NotKnown


@dataclass(frozen=True)
class GuestNeeds:
    """What a start of one guest takes, by the XML that it will be started with.

    networks, pools: by name.  devices: of the host's network, such as bridges.  emulator: its
    path.  machine: as in "pc-q35-7.2".  accelerator: libvirt's type of the domain, as in "kvm".
    All are "" where the XML does not say.
    made_anew: files that libvirt makes where they are missing, such as NVRAM.
    has_agent_channel: whether libvirt could talk to an agent in it.
    """

    networks: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    emulator: str = ""
    arch: str = ""
    machine: str = ""
    accelerator: str = ""
    made_anew: tuple[str, ...] = ()
    has_agent_channel: bool = False


@dataclass(frozen=True)
class Supply:
    """A network or a pool.  at_boot: whether libvirt starts it by itself."""

    name: str
    is_active: bool
    at_boot: bool


@dataclass(frozen=True)
class Emulator:
    """What libvirt can run guests of one architecture with; machines: by name and alias."""

    arch: str
    path: str
    machines: frozenset[str]
    accelerators: frozenset[str]


Supplied: TypeAlias = tuple[Supply, ...] | NotKnown


@dataclass(frozen=True)
class Supplies:
    """What one connection has."""

    networks: Supplied
    pools: Supplied
    emulators: tuple[Emulator, ...] | NotKnown


@dataclass(frozen=True)
class HostNeeds:
    """guests: those whose XML could be read.  supplies: by URI.  absent: emulators that are no
    programs of this host any more."""

    guests: Mapping[GuestId, GuestNeeds] = field(default_factory=dict)
    supplies: Mapping[str, Supplies] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
