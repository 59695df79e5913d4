"""libvirt's autostart flags at a boot: what they say becomes what is wanted, and is used up."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from functools import partial

from ..decisions.autostart import at_boot
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts
from ..model.instant import Instant
from ..model.ports import CALL_LIMIT, HypervisorError, within
from ..model.report import Trouble
from ..model.update import Update
from .context import Context, with_marks
from .reconcile import Records


async def heed_flags(
    context: Context, guests: Collection[GuestFacts], records: Records, ours: Collection[str]
) -> Records:
    """The records, with what the flags of guests that are down say of them.

    ours: connections of which libvirt starts nobody at this boot.  Killed in the midst, the next
    restore finds a mark again that is used up already, which does no harm.
    """
    now = context.clock()
    asked = {guest.id.uri for guest in guests} & set(ours)
    mine = {uri: context.hypervisors[uri] for uri in asked}
    guests = await with_marks(mine, guests, lambda error: context.tell(Trouble(str(error))))
    updates = [
        update
        for guest in guests
        if (update := _update(context, guest, records, now, ours)) is not None
    ]
    written = await context.ledger(partial(_write, updates), False)
    if written:
        await _use_up(context, [guest for guest in guests if guest.id.uri in ours])
    said = {update.guest: update.record for update in updates if update.record}
    return {**records, **said}


def _update(
    context: Context, guest: GuestFacts, records: Records, now: Instant, ours: Collection[str]
) -> Update | None:
    once = guest.id.uri in ours
    return at_boot(records.get(guest.id), guest, now, once=once)


def _write(updates: Iterable[Update], ledger: Ledger) -> bool:
    for update in updates:
        ledger.apply(update)
    return True


async def _use_up(context: Context, guests: Iterable[GuestFacts]) -> None:
    """At the same time: libvirt's own auto-shutdown leaves a mark on every guest."""
    marked = [guest for guest in guests if guest.autostart_once]
    await asyncio.gather(*(_use_one_up(context, guest) for guest in marked))


async def _use_one_up(context: Context, guest: GuestFacts) -> None:
    hypervisor = context.hypervisors[guest.id.uri]
    try:
        await within(CALL_LIMIT, hypervisor.use_up_autostart_once(guest.id.uuid))
    except HypervisorError as error:
        text = f"cannot take its autostart --once off, a later boot may start it: {error}"
        context.tell(Trouble(f"{guest.name}: {text}"))
