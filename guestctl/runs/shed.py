"""Guests that are shed, as runs that bring guests back find them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..decisions.shedding import shed_now
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.record import GuestRecord, shed_no_more
from ..model.result import Trigger
from .context import Context

#: Runs that nobody asked for, and that begin with whoever is wanted on.
_OF_ITSELF = (Trigger.BOOT, Trigger.CANCELLED)
_NOBODY: frozenset[GuestId] = frozenset()


async def left_shed(
    context: Context, trigger: Trigger, records: Mapping[GuestId, GuestRecord]
) -> frozenset[GuestId]:
    """Whom such a restore leaves alone: they are shed, and their host has been up since.

    After a soft-reboot nobody is shed any more, though the boot's id is the same.
    """
    shed = shed_now(records, context.boot) if trigger in _OF_ITSELF else _NOBODY
    if not shed or trigger is not Trigger.BOOT:
        return shed

    def end(ledger: Ledger) -> frozenset[GuestId]:
        if ledger.runs.host_stop(context.boot) is None:
            return shed
        for guest in shed:
            ledger.change(guest, shed_no_more)
        return _NOBODY

    return await context.ledger(end, shed)


async def note_up(context: Context, guests: Collection[GuestFacts]) -> None:
    """They are up, and nothing is under way that is to take them down."""

    def note(ledger: Ledger) -> None:
        for guest in guests:
            ledger.note_up(guest, context.boot)

    await context.ledger(note, None)
