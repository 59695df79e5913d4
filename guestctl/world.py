"""The world that a run acts on, and reading all its guests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from .model import GuestFacts
from .ports import Hypervisor, HypervisorError, Report, Scribe, WallClock, within

#: For calls that libvirtd answers by itself, without asking a guest or QEMU.
READ_LIMIT = 30.0


@dataclass(frozen=True)
class World:
    """What a run needs: hypervisors by URI, the ledger, the display, the boot's id."""

    hypervisors: Mapping[str, Hypervisor]
    scribe: Scribe
    report: Report
    clock: WallClock
    boot: str


@dataclass(frozen=True)
class Seen:
    """All guests of the connections that could be read, and why the others could not."""

    guests: tuple[GuestFacts, ...]
    lost: dict[str, HypervisorError]

    @property
    def lost_reasons(self) -> dict[str, str]:
        """The reasons as text, by URI."""
        return {uri: str(error) for uri, error in self.lost.items()}


async def read_all(hypervisors: Mapping[str, Hypervisor]) -> Seen:
    """Read every connection at the same time; one that fails does not hide the others."""
    reads = [within(READ_LIMIT, hypervisor.guests()) for hypervisor in hypervisors.values()]
    answers = await asyncio.gather(*reads, return_exceptions=True)
    guests: list[GuestFacts] = []
    lost: dict[str, HypervisorError] = {}
    for uri, answer in zip(hypervisors, answers, strict=True):
        if isinstance(answer, HypervisorError):
            lost[uri] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            guests.extend(answer)
    return Seen(tuple(guests), lost)
