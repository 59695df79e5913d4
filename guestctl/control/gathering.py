"""The facts that decisions go by, gathered on this host."""

from __future__ import annotations

import asyncio

from ..decisions.host_facts import HostFacts, LostConnection
from ..ledger.ledger import Ledger
from ..model.guest import GuestId
from ..model.history import PastShutdown, PastStart
from ..model.ports import ErrorKind, HypervisorError
from ..model.record import GuestRecord
from ..model.save import SaveRecord
from ..runs.context import Inventory, room_for_saves
from ..runs.save_check import with_images, with_lost_media
from .local import Local

Remembered = tuple[
    dict[GuestId, GuestRecord], list[SaveRecord], list[PastShutdown], list[PastStart]
]


def gather(local: Local, limit: float | None = None) -> HostFacts:
    """What is seen and known now.

    limit: seconds after which connections count as lost; as long as each takes where None.
    """
    return asyncio.run(_gather(local, limit))


async def _gather(local: Local, limit: float | None) -> HostFacts:
    inventory, room = await _seen(local, limit)
    now = local.now()
    guests = await with_images(local.storage, inventory.guests)
    remembered = _remembered(local, now.boot)
    records, saves, shutdowns, starts = remembered or ({}, [], [], [])
    return HostFacts(
        now.boot,
        now.at,
        local.uris,
        local.owns_next_boot,
        local.sees_all and remembered is not None,
        local.config,
        tuple(map(_lost, inventory.lost.items())),
        room,
        await with_lost_media(local.storage, guests),
        tuple(records.values()),
        tuple(saves),
        now.up,
        local.sees_all,
        tuple(shutdowns),
        tuple(starts),
    )


async def _seen(local: Local, limit: float | None) -> tuple[Inventory, dict[str, int]]:
    """All guests, and the room for their saves."""
    try:
        async with asyncio.timeout(limit):
            # Looking for room takes 10 s where saves go to a network that is gone.
            return await asyncio.gather(
                local.read(domain_info=True), room_for_saves(local.storage, local.uris)
            )
    except TimeoutError:
        text = f"no answer within {limit:g} s"
        lost = {
            uri: HypervisorError(ErrorKind.NO_ANSWER, f"cannot read the guests of {uri}: {text}")
            for uri in local.uris
        }
        return Inventory((), lost), {}


def _remembered(local: Local, boot: str) -> Remembered | None:
    """None where the ledger cannot be read."""

    def read(ledger: Ledger) -> Remembered | None:
        runs = ledger.runs
        return ledger.guests(boot), ledger.saves.all(), runs.shutdowns(), runs.starts()

    return local.ask_ledger(read, None)


def _lost(connection: tuple[str, HypervisorError]) -> LostConnection:
    uri, error = connection
    return LostConnection(uri, str(error), error.kind is ErrorKind.NOT_PERMITTED)
