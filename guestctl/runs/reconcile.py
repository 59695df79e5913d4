"""The ledger brought in line with what is seen of guests, at the beginning of every run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial

from ..decisions.reconcile import HOLD_ENDS, reconcile
from ..decisions.settling import stopped_as_host_went_down
from ..decisions.wanted import Watched, hold_of
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.ports import ErrorKind, HypervisorError
from ..model.record import GuestRecord, released, released_for_save
from .context import Context, Inventory
from .save_check import with_images

#: How the ledger is named among the connections that were lost: all of it, or a part.
LEDGER, DAMAGED = "ledger", "damaged ledger"

Records = dict[GuestId, GuestRecord]


def reconcile_all(
    ledger: Ledger,
    guests: Iterable[GuestFacts],
    boot: str,
    up: Collection[GuestId] = (),
    as_found: Collection[str] = (),
) -> Records:
    """Write down what happened to guests while nobody watched; what the ledger knows then.

    libvirt forgets why a guest is off when the host goes down.
    up: who was up when the host began to go down, if it does.
    as_found: connections whose guests are wanted as they are, see Watched.
    """
    records, alone = ledger.guests(boot), ledger.watches.ended()
    for guest in guests:
        record = records.get(guest.id)
        left_alone = record is not None and record.followed_in in alone
        watched = Watched(as_found=guest.id.uri in as_found, left_alone=left_alone)
        found = reconcile(record, guest, ledger.now(), watched)
        update = stopped_as_host_went_down(found, boot) if guest.id in up else found.update
        if update is not None:
            ledger.apply(update)
        if update is not None and update.record is not None:
            records[guest.id] = update.record
    return records


Loss = dict[str, HypervisorError]


def _lost(name: str, text: str) -> Loss:
    return {name: HypervisorError(ErrorKind.FAILED, text)}


#: Nothing is known.
NO_LEDGER = _lost(LEDGER, "what is wanted of the guests is not known")


def loss_of(ledger: Ledger) -> Loss:
    """What counts as lost where the ledger knows nothing, or not all: a run is not well then."""
    if not ledger.remembers:
        return NO_LEDGER
    return _lost(DAMAGED, ledger.loss) if ledger.loss else {}


def without(inventory: Inventory, loss: Loss) -> Inventory:
    """What was read, with this among what is lost."""
    return replace(inventory, lost={**inventory.lost, **loss})


async def take_notice(
    context: Context, guests: Collection[GuestFacts], as_found: Collection[str] = ()
) -> tuple[Records, Loss]:
    """The same off the event loop, holds that are over included; what is lost of the ledger."""
    nothing: tuple[Records, Loss] = {}, NO_LEDGER

    def read(ledger: Ledger) -> tuple[Records, Loss]:
        return ledger.guests(context.boot), loss_of(ledger)

    def notice(ledger: Ledger) -> tuple[Records, Loss] | None:
        made = reconcile_all(ledger, guests, context.boot, as_found=as_found)
        return made, loss_of(ledger)

    noticed = await context.ledger(notice, None)
    if noticed is None:  # a ledger on a full disk can still be read
        noticed = await context.ledger(read, nothing)
    records, loss = noticed
    return await _end_holds(context, guests, records), loss


async def _end_holds(context: Context, guests: Iterable[GuestFacts], records: Records) -> Records:
    """libvirt knows nothing of an image that was put back by hand: the file decides."""
    held = [g for g in guests if g.id in records and records[g.id].held_for_save]
    looked_at = await with_images(context.storage, held)
    over = [guest.id for guest in looked_at if hold_of(records[guest.id], guest) is None]
    if over:
        await context.ledger(partial(_end, over), None)
    return {**records, **{guest: released(records[guest]) for guest in over}}


def _end(guests: Iterable[GuestId], ledger: Ledger) -> None:
    for guest in guests:
        ledger.change(guest, released_for_save)
        ledger.trail.add(guest, *HOLD_ENDS)
