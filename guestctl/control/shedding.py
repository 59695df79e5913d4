"""`shed` and `resume`, under the run lock: guests that are down while their host stays up."""

from __future__ import annotations

from ..config.config import Config
from ..decisions.shedding import NOBODY_NUMBERED, Whom, chosen, shed_now, still_up
from ..model.guest import GuestId
from ..model.history import Note
from ..model.plan import RunKind
from ..model.report import Trouble
from ..model.result import RunResult, Trigger
from ..runs.context import Context, Inventory, with_domain_info
from ..runs.preserve import preserve
from ..runs.reconcile import Records, take_notice
from ..runs.restore import restore
from ..runs.shed import note_up
from .requests import Down, Failure, RequestError

#: Guests that are named; None for all that the request means.
Chosen = frozenset[GuestId] | None


async def shed(
    context: Context,
    config: Config,
    request: Down,
    inventory: Inventory,
    named: Chosen,
    note: Note,
) -> RunResult:
    """Take guests down while the host stays up.  RequestError where nobody is meant.

    config: with the profile and the deadline of the request.
    """
    if named is None:
        records, _ = await take_notice(context, inventory.guests)
        named = await _meant(context, config, request, inventory, records)
    why = request.reason or f"by {note.source.partition(':')[2]}"
    begun = request.begun
    return await preserve(
        context, config, RunKind.PRESERVE, Trigger.SHED, inventory, named, begun, note, sheds=why
    )


async def _meant(
    context: Context, config: Config, request: Down, inventory: Inventory, records: Records
) -> frozenset[GuestId]:
    """By number or profile, among those that are up; with those of them that are shed already
    where it is said which number."""
    up = [guest for guest in inventory.guests if not guest.down]
    shed = shed_now(records, context.boot)
    down = [guest for guest in inventory.guests if guest.down and guest.id in shed]
    whom = Whom(request.order, request.profile)
    is_bare = whom == Whom()
    read = await with_domain_info(context.hypervisors, up if is_bare else [*up, *down])
    meant = chosen(whom, read, config)
    if is_bare and not meant:
        raise RequestError(Failure.WRONG_REQUEST, NOBODY_NUMBERED)
    return meant


async def resume(
    context: Context,
    config: Config,
    inventory: Inventory,
    named: Chosen,
    note: Note,
) -> RunResult:
    """Bring those back that are still shed, of these or of all."""
    records, _ = await take_notice(context, inventory.guests)
    shed = shed_now(records, context.boot)
    _tell_of_others(context, inventory, (named or frozenset()) - shed)
    mine = shed if named is None else shed & named
    going, up = still_up(inventory.guests, records, context.boot)
    await note_up(context, [guest for guest in inventory.guests if guest.id in up & mine])
    down = mine - up
    going = {guest: step for guest, step in going.items() if guest in mine}
    return await restore(context, config, Trigger.RESUME, inventory, down, note=note, going=going)


def _tell_of_others(context: Context, inventory: Inventory, unshed: frozenset[GuestId]) -> None:
    """Whoever named them takes them for shed."""
    guests = (guest for guest in inventory.guests if guest.id in unshed)
    for name in sorted(guest.name for guest in guests):
        context.tell(Trouble(f"{name} is not shed"))
