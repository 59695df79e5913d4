"""How a run that takes guests down begins: one transaction, from what is known to every intent.

What happened to guests while nobody watched is written down, the plan is made, the run begins,
and what it is about to do with each guest is durable, all at once: with a dozen saves ahead,
each sync of the ledger costs the guests time that their host may not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..config.config import Config
from ..decisions.forecast import SaveForecast
from ..decisions.plan import plan_down
from ..decisions.policy import resolve
from ..decisions.shedding import as_shed, shed_now
from ..decisions.unremembered import as_left_up, why_left_up
from ..decisions.wanted import desired
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.history import NOT_TO_COME_BACK, Note
from ..model.plan import Outcome, Plan, RunKind
from ..model.record import GuestRecord, Wanted, put_back, shed
from ..model.result import GuestResult, RunResult, Trigger
from .context import Context, room_for_saves, with_domain_info
from .reconcile import NO_LEDGER, Loss, Records, loss_of, reconcile_all
from .run import Run, deadline_of, record_note
from .save_check import with_lost_media
from .take_down_log import record_intent, want_off
from .unremembered import leaves_up

NOTHING_KNOWN: Mapping[GuestId, GuestRecord] = {}


@dataclass(frozen=True)
class Request:
    """What a run that takes guests down is to do; see preserve() for the fields."""

    context: Context
    config: Config
    kind: RunKind
    trigger: Trigger
    named: frozenset[GuestId] | None
    begun: float | None
    note: Note | None
    up: Collection[GuestId]
    left: Collection[GuestId]
    sheds: str | None = None
    without_ledger: bool = False

    def run(self, number: int | None) -> Run:
        """The run of this number in the ledger."""
        ends = deadline_of(self.config, self.begun)
        of_whom = (self.context, self.config, self.kind, self.trigger)
        return Run(*of_whom, number, ends, self.sheds, self.without_ledger)


@dataclass(frozen=True)
class Opened:
    """A run that has begun.

    records: what was known of guests before its intents were written.  remembers: whether there
    is a ledger that knows anything; loss: what counts as lost of it.  written: whether the intents
    are in it, and it lasts.
    """

    run: Run
    plan: Plan
    records: Mapping[GuestId, GuestRecord]
    remembers: bool
    written: bool = False
    loss: Loss = field(default_factory=dict)


async def open_run(request: Request, found: Iterable[GuestFacts]) -> Opened:
    """Begin the run with these guests.

    Where the ledger cannot be written the run goes on with what can be read of it, or with
    nothing; or it leaves everybody up, see `leaves_up`.
    When cancelled while that is written, it is taken back; before, nothing is.
    """
    context = request.context
    guests = await _with_xml(context, found)
    room = await room_for_saves(context.storage, context.hypervisors)
    return await _or_taken_back(context, _begin(request, guests, room), _abandon_run)


async def _begin(request: Request, guests: list[GuestFacts], room: Mapping[str, int]) -> Opened:
    context = request.context
    # The deadline is on the loop's clock, which the ledger's thread has not.
    run = request.run(None)
    plan = _plan(run, request, guests, _forecast(None, run, room))
    nothing = Opened(run, plan, {}, False, loss=NO_LEDGER)
    begin = partial(_open, request, run, guests, room)
    opened = await context.ledger(begin, None)
    if opened is None and await leaves_up(run):
        opened = await context.ledger(begin, None)  # it may have been locked by others
    if opened is None:  # a ledger on a full disk can still be read
        reading = partial(_open_unwritten, request, run, guests, room)
        opened = await context.ledger(reading, nothing)
    if opened.written or not await leaves_up(run):
        return opened
    reason = why_left_up(run.kind, sheds=run.sheds is not None)
    return replace(opened, plan=as_left_up(opened.plan, reason))


async def _or_taken_back(
    context: Context,
    writing: Coroutine[Any, Any, Opened],
    abandon: Callable[[Opened, Ledger], object],
) -> Opened:
    """Have intents written; when cancelled meanwhile, they are taken back.

    Nothing was done to any of these guests yet, and nobody would conclude what became of them.
    """
    task = asyncio.create_task(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        opened = await task
        await context.ledger(partial(abandon, opened), None)
        raise


def _abandon_run(opened: Opened, ledger: Ledger) -> None:
    run, results = opened.run, _abandon(opened, ledger)
    ledger.runs.end(RunResult(run.kind, run.number, results, interrupted=True))


def _abandon(opened: Opened, ledger: Ledger) -> tuple[GuestResult, ...]:
    results = []
    for plan in opened.plan.guests:
        guest = plan.guest
        if plan.outcome is None and opened.remembers:
            before = opened.records.get(guest.id, GuestRecord(guest.id, guest.name))
            ledger.change(guest.id, lambda record, before=before: put_back(record, before))  # type: ignore[misc]  # bound now
        reason = "the run was interrupted before it began"
        results.append(GuestResult(guest.id, guest.name, Outcome.SKIPPED, reason=reason))
    for result in results:
        opened.run.record_end(ledger, result)
    return tuple(results)


async def _with_xml(context: Context, found: Iterable[GuestFacts]) -> list[GuestFacts]:
    guests = list(found)
    read = await with_domain_info(context.hypervisors, [g for g in guests if not g.down])
    up = await with_lost_media(context.storage, read)
    return [*up, *(guest for guest in guests if guest.down)]


def _open(
    request: Request, run: Run, guests: list[GuestFacts], room: Mapping[str, int], ledger: Ledger
) -> Opened:
    records = reconcile_all(ledger, guests, run.context.boot, request.up)
    owed: list[GuestFacts] = []
    if run.kind is RunKind.SHUTDOWN:
        owed = _want_off(request.named, ledger, guests, records, run.context.boot)
    plan = _plan(run, request, guests, _forecast(ledger, run, room), records)
    number = ledger.runs.begin(run.kind, run.trigger, run.context.boot, run.context.actor)
    run = replace(run, number=number)
    if run.sheds is not None:
        _keep_down(ledger, records, run.context.boot)
    record_note(ledger, request.note, plan)
    for guest in owed if request.named is None else ():
        past = GuestResult(guest.id, guest.name, Outcome.SKIPPED, reason=NOT_TO_COME_BACK)
        ledger.runs.end_guest(number, past)
    _record_intents(ledger, run, plan)
    written = ledger.is_kept
    return Opened(run, plan, records, ledger.remembers, written=written, loss=loss_of(ledger))


def _keep_down(ledger: Ledger, records: Records, boot: str) -> None:
    """Who is shed, and was to come up again, is not tried any more."""
    for guest in shed_now(records, boot):
        ledger.change(guest, lambda it: shed(it, it.shed or "", boot))


def _open_unwritten(
    request: Request, run: Run, guests: list[GuestFacts], room: Mapping[str, int], ledger: Ledger
) -> Opened:
    records = ledger.guests(run.context.boot)
    plan = _plan(run, request, guests, _forecast(ledger, run, room), records)
    return Opened(run, plan, records, ledger.remembers, loss=loss_of(ledger))


def _plan(
    run: Run,
    request: Request | None,
    guests: Collection[GuestFacts],
    forecast: SaveForecast,
    records: Mapping[GuestId, GuestRecord] = NOTHING_KNOWN,
) -> Plan:
    """request: None for guests that turned up in mid-run."""
    named, left = (request.named, request.left) if request else (None, ())
    plan = plan_down(run.kind, guests, partial(resolve, run.config), named, forecast, left)
    if run.sheds is None:
        return plan
    return as_shed(plan, guests, records, run.config, run.context.boot)


def _forecast(ledger: Ledger | None, run: Run, room: Mapping[str, int]) -> SaveForecast:
    displaced, shutdown = frozenset(run.context.displaced), run.config.shutdown
    saves = tuple(ledger.saves.all()) if ledger else ()
    shutdowns = tuple(ledger.runs.shutdowns()) if ledger else ()
    reserve, parallel = shutdown.save_reserve, shutdown.parallel
    return SaveForecast(saves, room, reserve, displaced, shutdowns, parallel)


def _want_off(
    named: Collection[GuestId] | None,
    ledger: Ledger,
    guests: Iterable[GuestFacts],
    records: Records,
    boot: str,
) -> list[GuestFacts]:
    """A shutdown speaks for guests that are down as well, and were to come back: these."""
    owed = []
    text = "all guests are wanted off" if named is None else "it is wanted off"
    for guest in guests:
        meant = guest.down and (named is None or guest.id in named)
        if meant and desired(records.get(guest.id), guest, boot).wanted is Wanted.ON:
            want_off(ledger, guest)
            ledger.trail.add(guest.id, "guestctl:shutdown", text)
            owed.append(guest)
    return owed


def _record_intents(ledger: Ledger, run: Run, plan: Plan) -> None:
    for guest_plan in plan.guests:
        if guest_plan.outcome is None:
            record_intent(run, ledger, guest_plan)


async def add_guests(
    run: Run, found: Collection[GuestFacts], taken: Callable[[str], int]
) -> Opened:
    """Plans for guests that turned up in mid-run, their intents written down; what was known.

    taken: the bytes that other guests' saves can still need, by URI.
    When cancelled while that is written, it is taken back.
    """
    context = run.context
    read = await with_domain_info(context.hypervisors, found)
    guests = await with_lost_media(context.storage, read)
    free = await room_for_saves(context.storage, context.hypervisors)
    room = {uri: bytes_free - taken(uri) for uri, bytes_free in free.items()}
    return await _or_taken_back(context, _add(run, guests, room), _abandon)


async def _add(run: Run, guests: Collection[GuestFacts], room: Mapping[str, int]) -> Opened:
    context = run.context
    nothing = Opened(run, _plan(run, None, guests, _forecast(None, run, room)), {}, False)

    def read(ledger: Ledger, records: Records | None = None) -> Opened:
        if records is None:
            records = ledger.records([guest.id for guest in guests], context.boot)
        plan = _plan(run, None, guests, _forecast(ledger, run, room))
        return Opened(run, plan, records, ledger.remembers)

    def add(ledger: Ledger) -> Opened | None:
        opened = read(ledger, reconcile_all(ledger, guests, context.boot))
        _record_intents(ledger, run, opened.plan)
        return replace(opened, written=True)

    added = await context.ledger(add, None)
    return added if added is not None else await context.ledger(read, nothing)
