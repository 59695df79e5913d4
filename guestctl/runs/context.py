"""What a run acts in, and reading all its guests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from ..ledger.ledger import Ledger
from ..model.guest import DomainInfo, GuestFacts, GuestId
from ..model.history import Actor
from ..model.instant import Clock
from ..model.ports import (
    READ_LIMIT,
    ErrorKind,
    Hypervisor,
    HypervisorError,
    Probe,
    Storage,
    within,
)
from ..model.report import Listener

READ_AGAIN = 1.0
_PASSING = (ErrorKind.UNREACHABLE, ErrorKind.NO_ANSWER)
#: For looking at files: those on a network that is gone never answer.
LOOK_LIMIT = 10.0


T = TypeVar("T")


class LedgerAccess(Protocol):
    """Has work done on the ledger, off the event loop."""

    async def __call__(self, work: Callable[[Ledger], T], default: T) -> T:
        """The work's result once it is durable; the default when the ledger is out of use.

        Never raises for a ledger's trouble: it is reported, and the run goes on.
        """


async def _pass() -> None:
    """Nothing can cancel what a person asked for but that person."""


def _whenever() -> None:
    """Nobody said."""


async def _stays_up() -> bool:
    """It does, as far as anybody who asked for a run has to know."""
    return False


class NoProbe:
    """Where nothing reaches guests over the network."""

    async def connects(self, address: str, port: int, limit: float) -> str:
        del address, port, limit
        return "nothing here can connect to a guest"


@dataclass(frozen=True)
class Context:
    """What a run acts in: hypervisors by URI, files, the ledger, who is told, the boot's id.

    gone: connections on which nobody is left that could answer; it may grow meanwhile.
    tries_later: whether somebody tries again what a run cannot bring up: then the run waits for
    nothing for long.
    ran: who ran as the host began to go down, where libvirt's own auto-shutdown pauses guests then.
    displaced: connections whose folder of saves is not mounted any more: nothing is saved there.
    checkpoint is awaited before each step that takes a guest down: it does not return once the
    run is to be cancelled.
    stop_by: until when, on the loop's clock, the host's stop is to be through, where a person
    said so.
    host_stops: whether systemd is taking the host down, asked where that makes a difference to what
    a person has asked for.
    follows_progress: whether anybody wants to know how far saves are: asking slows them down.
    actor: whose command it is, if it is one.
    """

    hypervisors: Mapping[str, Hypervisor]
    storage: Storage
    ledger: LedgerAccess
    tell: Listener
    clock: Clock
    boot: str
    checkpoint: Callable[[], Awaitable[None]] = _pass
    gone: Collection[str] = frozenset()
    displaced: Collection[str] = frozenset()
    ran: Collection[GuestId] = frozenset()
    tries_later: bool = False
    follows_progress: bool = False
    stop_by: Callable[[], float | None] = _whenever
    host_stops: Callable[[], Awaitable[bool]] = _stays_up
    actor: Actor | None = None
    probe: Probe = NoProbe()


@dataclass(frozen=True)
class Inventory:
    """All guests of the connections that could be read, and why the others could not."""

    guests: tuple[GuestFacts, ...]
    lost: dict[str, HypervisorError]

    @property
    def lost_reasons(self) -> dict[str, str]:
        """The reasons as text, by URI."""
        return {uri: str(error) for uri, error in self.lost.items()}


async def read_all(hypervisors: Mapping[str, Hypervisor]) -> Inventory:
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
    return Inventory(tuple(guests), lost)


async def _guests(hypervisor: Hypervisor) -> list[GuestFacts]:
    """Of its own: gather may be cancelled before any call is made."""
    return await within(READ_LIMIT, hypervisor.guests())


async def read_all_retrying(
    hypervisors: Mapping[str, Hypervisor],
    retry_for: float,
    only: Collection[str] | None = None,
    gone: Collection[str] = (),
) -> Inventory:
    """Read every connection; those that cannot be reached again and again, so many seconds.

    only: those that are worth waiting for; all, unless told.  gone: those that are not any more;
    it may grow meanwhile.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + retry_for
    awaited = hypervisors.keys() if only is None else only
    inventory = await read_all(hypervisors)
    while loop.time() < end and any(
        error.kind in _PASSING
        for uri, error in inventory.lost.items()
        if uri in awaited and uri not in gone
    ):
        await asyncio.sleep(READ_AGAIN)
        again = await read_all({uri: hypervisors[uri] for uri in inventory.lost})
        inventory = Inventory(inventory.guests + again.guests, again.lost)
    return inventory


async def with_domain_info(
    hypervisors: Mapping[str, Hypervisor], guests: Iterable[GuestFacts]
) -> tuple[GuestFacts, ...]:
    """The guests with what their XML says.

    One whose XML cannot be read now keeps what it had: nothing speaks against a save that
    is tried, and libvirt refuses what it cannot do.
    """
    chosen = tuple(guests)
    reads = [_domain_info(hypervisors[uri], chosen) for uri in {guest.id.uri for guest in chosen}]
    domain_info: dict[GuestId, DomainInfo] = {}
    for found in await asyncio.gather(*reads):
        domain_info |= found
    return tuple(replace(guest, info=domain_info.get(guest.id, guest.info)) for guest in chosen)


async def _domain_info(
    hypervisor: Hypervisor, guests: tuple[GuestFacts, ...]
) -> dict[GuestId, DomainInfo]:
    uri = hypervisor.uri
    uuids = [guest.id.uuid for guest in guests if guest.id.uri == uri]
    try:
        found = await within(READ_LIMIT, hypervisor.domain_info(uuids))
    except HypervisorError:
        return {}
    return {GuestId(uri, uuid): info for uuid, info in found.items()}


async def with_marks(
    hypervisors: Mapping[str, Hypervisor],
    guests: Iterable[GuestFacts],
    lost: Callable[[HypervisorError], object] = lambda _: None,
) -> tuple[GuestFacts, ...]:
    """The guests, with whether libvirt is to start them once; lost: told where nobody answers."""
    marked: set[GuestId] = set()
    for uri, hypervisor in hypervisors.items():
        try:
            found = await within(LOOK_LIMIT, hypervisor.started_once())
        except HypervisorError as error:
            lost(error)
        else:
            marked |= {GuestId(uri, uuid) for uuid in found}
    return tuple(replace(guest, autostart_once=guest.id in marked) for guest in guests)


async def room_for_saves(storage: Storage, uris: Iterable[str]) -> dict[str, int]:
    """Bytes free where saves go, by URI, as far as that can be told in time."""
    found: dict[str, int] = {}
    for uri in uris:
        with contextlib.suppress(HypervisorError):
            room = await within(LOOK_LIMIT, storage.room(uri))
            if room is not None:
                found[uri] = room
    return found
