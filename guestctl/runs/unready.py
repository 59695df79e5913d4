"""Guests that are up and were not ready in time: whether they are by now."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from ..config.config import Config
from ..decisions.policy import resolve
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.record import GuestRecord, ready
from ..model.report import Trouble
from .context import LOOK_LIMIT, Context, with_domain_info
from .live_guest import LiveGuest
from .readiness import ReadyChecks


async def look_again(
    context: Context,
    config: Config,
    guests: Iterable[GuestFacts],
    records: Iterable[GuestRecord],
    source: str,
) -> frozenset[GuestId]:
    """Who is not ready still; of whom is ready now, that is written down.

    source: who speaks in the trail.
    """
    were = {record.id for record in records if record.unready_in(context.boot)}
    looked = [guest for guest in guests if guest.id in were and guest.up]
    if not looked:
        return frozenset(were)
    try:
        async with asyncio.timeout(LOOK_LIMIT):
            are = await _ready_now(context, config, looked)
    except Exception as error:  # noqa: BLE001 - what was unready may be; others are not to wait
        context.tell(Trouble(f"cannot tell who is ready by now: {error!r}"))
        return frozenset(were)
    if are:
        await context.ledger(lambda ledger: _note(ledger, are, source), None)
    return frozenset(were - {guest.id for guest in are})


async def _ready_now(
    context: Context, config: Config, guests: Collection[GuestFacts]
) -> list[GuestFacts]:
    checks = ReadyChecks(context.probe)
    known = await with_domain_info(context.hypervisors, guests)
    said = await asyncio.gather(*(_look(context, config, guest, checks) for guest in known))
    return [guest for guest, why in zip(known, said, strict=True) if not why]


async def _look(context: Context, config: Config, guest: GuestFacts, checks: ReadyChecks) -> str:
    live = LiveGuest(guest, context.hypervisors[guest.id.uri], retry_for=0.0)
    return await checks.look(live, resolve(config, guest).order.ready)


def _note(ledger: Ledger, guests: Collection[GuestFacts], source: str) -> None:
    for guest in guests:
        ledger.change(guest.id, ready)
        ledger.trail.add(guest.id, source, "ready now")
