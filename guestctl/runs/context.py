"""The world that a run acts on, and reading all its guests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ..model.guest import GuestFacts, GuestId, Nature
from ..model.ports import (
    ErrorKind,
    Hypervisor,
    HypervisorError,
    Report,
    Scribe,
    Storage,
    WallClock,
    within,
)

#: For reading states and XML: quick, but for a guest whose QEMU is just being ended.
READ_LIMIT = 30.0
READ_AGAIN = 1.0
_PASSING = (ErrorKind.UNREACHABLE, ErrorKind.NO_ANSWER)
#: For looking at files: those on a network that is gone never answer.
LOOK_LIMIT = 10.0


async def _open_gate() -> None:
    """Nothing can call off what a person asked for but that person."""


@dataclass(frozen=True)
class World:
    """What a run needs: hypervisors by URI, files, the ledger, the display, the boot's id.

    gate is awaited before each step that takes a guest down: it cancels a run that was called off.
    """

    hypervisors: Mapping[str, Hypervisor]
    storage: Storage
    scribe: Scribe
    report: Report
    clock: WallClock
    boot: str
    gate: Callable[[], Awaitable[None]] = _open_gate


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
    reads = [_guests(hypervisor) for hypervisor in hypervisors.values()]
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


async def _guests(hypervisor: Hypervisor) -> list[GuestFacts]:
    """Of its own: gather may be cancelled before any call is made."""
    return await within(READ_LIMIT, hypervisor.guests())


async def read_all_patiently(
    hypervisors: Mapping[str, Hypervisor], patience: float, only: Collection[str] | None = None
) -> Seen:
    """Read every connection; those that cannot be reached again and again, so many seconds.

    only: those that are worth waiting for; all, unless told.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    awaited = hypervisors.keys() if only is None else only
    seen = await read_all(hypervisors)
    while loop.time() < end and any(
        error.kind in _PASSING for uri, error in seen.lost.items() if uri in awaited
    ):
        await asyncio.sleep(READ_AGAIN)
        again = await read_all({uri: hypervisors[uri] for uri in seen.lost})
        seen = Seen(seen.guests + again.guests, again.lost)
    return seen


async def with_natures(
    hypervisors: Mapping[str, Hypervisor], guests: Iterable[GuestFacts]
) -> tuple[GuestFacts, ...]:
    """The guests with what their XML says.

    One whose XML cannot be read now keeps what it had: nothing speaks against a save that
    is tried, and libvirt refuses what it cannot do.
    """
    chosen = tuple(guests)
    reads = [_natures(hypervisors[uri], chosen) for uri in {guest.id.uri for guest in chosen}]
    natures: dict[GuestId, Nature] = {}
    for found in await asyncio.gather(*reads):
        natures |= found
    return tuple(replace(guest, nature=natures.get(guest.id, guest.nature)) for guest in chosen)


async def _natures(hypervisor: Hypervisor, guests: tuple[GuestFacts, ...]) -> dict[GuestId, Nature]:
    uri = hypervisor.uri
    uuids = [guest.id.uuid for guest in guests if guest.id.uri == uri]
    try:
        found = await within(READ_LIMIT, hypervisor.natures(uuids))
    except HypervisorError:
        return {}
    return {GuestId(uri, uuid): nature for uuid, nature in found.items()}


async def room_for_saves(storage: Storage, uris: Iterable[str]) -> dict[str, int]:
    """Bytes free where saves go, by URI, as far as that can be told in time."""
    found: dict[str, int] = {}
    for uri in uris:
        with contextlib.suppress(HypervisorError):
            room = await within(LOOK_LIMIT, storage.room(uri))
            if room is not None:
                found[uri] = room
    return found
