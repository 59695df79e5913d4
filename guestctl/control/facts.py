"""The facts that decisions go by: gathered on this host, or loaded from a file of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from ..decisions.host_facts import HostFacts as HostFacts
from ..decisions.host_facts import LostConnection
from ..decisions.host_facts import matches_of_nobody as matches_of_nobody
from ..decisions.host_facts import mistakes_in_metadata as mistakes_in_metadata
from ..decisions.host_facts import mistakes_in_order as mistakes_in_order
from ..ledger.ledger import Ledger
from ..model.guest import GuestId
from ..model.history import PastShutdown, PastStart
from ..model.ports import ErrorKind, HypervisorError
from ..model.record import GuestRecord
from ..model.save import SaveRecord
from ..runs.context import Inventory, room_for_saves
from ..runs.save_check import with_images, with_lost_media
from .facts_text import FactsError, from_text
from .local import Local
from .requests import Failure, RequestError

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


def load(file: Path, complain: Callable[[str], None]) -> HostFacts:
    """The facts of a file; what was missing as they were recorded is told.

    RequestError for a file that is not one of facts.
    """
    try:
        facts = from_text(file.read_bytes().decode())
    except FactsError as error:
        place = f"{file}:{error.line}" if error.line else str(file)
        raise _unusable(f"cannot read facts: {place}: {error}") from error
    except OSError as error:
        raise _unusable(f"cannot read facts: {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        text = f"cannot read facts: {file}: is not UTF-8 (byte {error.start})"
        raise _unusable(text) from error
    for lost in facts.lost:
        complain(lost.reason)
    if not facts.sees_all:
        complain(f"{file} has nothing of what is wanted of the guests: no root recorded it")
    return facts


def _unusable(text: str) -> RequestError:
    return RequestError(Failure.WRONG_REQUEST, text)
