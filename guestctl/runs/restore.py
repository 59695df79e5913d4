"""A run that brings guests back: resumed from their saves, or started."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ..config.config import Config
from ..decisions.duration import duration_of
from ..decisions.forecast import StartForecast
from ..decisions.plan import (
    NOT_LISTED,
    Policies,
    plan_missing,
    plan_restore,
    plan_unknown_saves,
)
from ..decisions.policy import WILLING, Policy, resolve
from ..decisions.restore_time import restore_in_time
from ..decisions.wanted import has_unknown_save
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.history import Note, PastStart
from ..model.options import SaveDecision
from ..model.plan import GuestPlan, Outcome, Plan, RunKind, Step
from ..model.ports import HypervisorError
from ..model.record import GuestRecord
from ..model.report import GuestAdded, GuestEnded, RunBegan, RunEvent, Trouble
from ..model.result import GuestResult, RunResult, StepEnd, Trigger
from .at_work import AtWork
from .bring_up import BringUp
from .context import Context, Inventory, with_domain_info
from .flags import heed_flags
from .live_guest import LiveGuest
from .order import RunOrder, order_up, whoever_else
from .readiness import ReadyChecks
from .reconcile import take_notice, without
from .run import Run, deadline_of, interruptible, record_note
from .save_check import with_images
from .shed import NOBODY_GOES, left_shed, what_comes_of
from .slots import Slots
from .unready import look_again


class Request(NamedTuple):
    """Who is to be started (None: whoever is wanted on), and what was decided of their saves.

    autostart: connections whose autostart flags are ours to follow.
    """

    named: frozenset[GuestId] | None
    decision: SaveDecision | None
    autostart: Collection[str]


async def restore(
    context: Context,
    config: Config,
    trigger: Trigger,
    inventory: Inventory,
    named: frozenset[GuestId] | None = None,
    decision: SaveDecision | None = None,
    autostart: Collection[str] = (),
    note: Note | None = None,
    among: Collection[GuestId] | None = None,
    going: Mapping[GuestId, Step] = NOBODY_GOES,
) -> RunResult:
    """Start or resume every guest that is wanted on, not up and not held; or just those named.

    among: only whoever is wanted on of these.
    going: who is up, and may still go down by such a step of a run that was cut off: they are
    brought back if they do.
    decision: what a person decided about the saves of the guests named.
    autostart: connections whose guests with libvirt's autostart flag are started as well, unless
    somebody turned them off.
    note: what is said about why.
    Cancelling it lets starts under way finish in libvirt; the result says so.
    """
    everybody = inventory.guests
    inventory = inventory if among is None else _only(among, inventory)
    records, loss = await take_notice(context, inventory.guests)
    inventory = without(inventory, loss if named is None else {})
    if named is None and (shed := await left_shed(context, trigger, records)):
        records = {guest: record for guest, record in records.items() if guest not in shed}
        inventory = _only({guest.id for guest in inventory.guests} - shed, inventory)
    if trigger is Trigger.BOOT and named is None:
        records = await heed_flags(context, inventory.guests, records, autostart)
    request = Request(named, decision, autostart)
    busy = [g for g in inventory.guests if g.id in going or _is_being_saved(g, named)]
    free = [guest for guest in inventory.guests if guest not in busy]
    plan = await _plan(context, config, free, records, request)
    if named is None:
        mine = [r for r in records.values() if r.id.uri in context.hypervisors]
        mine = [record for record in mine if among is None or record.id in among]
        missing = plan_missing(inventory.guests, mine, inventory.lost)
        planned = {planned.guest.id for planned in plan.guests}
        others = [guest for guest in free if guest.id not in planned]
        saved = [guest for guest in others if has_unknown_save(guest, records.get(guest.id))]
        read = await with_domain_info(context.hypervisors, saved)
        unknown = plan_unknown_saves(read, records, partial(resolve, config))
        plan = Plan(plan.kind, plan.guests + missing + unknown)
    run, starts = await _begin(context, config, trigger, note, plan)
    context.tell(RunBegan(plan, trigger, run.number, expected=_takes(run, plan, starts, busy)))
    coming = [*(p.guest for p in plan.guests if p.outcome is None), *busy]
    asked = named is not None and trigger is not Trigger.USER_SHUTDOWN
    wanted = {} if asked else records  # a person who names a guest need not name what it requires
    unready = await look_again(context, config, everybody, records.values(), run.source)
    order = order_up(run, coming, whoever_else(plan, everybody, wanted), unready)
    order.say_mistakes(context.tell)
    return await _Restore(run, inventory, request, order, going).carry_out(plan, busy)


def _is_being_saved(guest: GuestFacts, named: Collection[GuestId] | None) -> bool:
    return guest.saving and (named is None or guest.id in named)


def _only(guests: Collection[GuestId], inventory: Inventory) -> Inventory:
    return replace(inventory, guests=tuple(g for g in inventory.guests if g.id in guests))


async def _begin(
    context: Context, config: Config, trigger: Trigger, note: Note | None, plan: Plan
) -> tuple[Run, list[PastStart]]:
    """The run, and earlier starts."""

    def begin(ledger: Ledger) -> tuple[int | None, list[PastStart]]:
        record_note(ledger, note, plan)
        number = ledger.runs.begin(RunKind.RESTORE, trigger, context.boot, context.actor)
        return number, ledger.runs.starts()

    nothing: tuple[int | None, list[PastStart]] = (None, [])
    number, starts = await context.ledger(begin, nothing)
    run = Run(context, config, RunKind.RESTORE, trigger, number, deadline_of(config, None))
    return run, starts


def _takes(
    run: Run, plan: Plan, starts: Iterable[PastStart], busy: Iterable[GuestFacts]
) -> float | None:
    """How many seconds the run should take, where that is known."""
    memory = {planned.guest.id: planned.guest.memory for planned in plan.guests}
    forecast = StartForecast(tuple(starts), memory)
    try:
        timeline = restore_in_time(plan, run.config, forecast)
    except Exception as error:  # noqa: BLE001 - what is only shown must not end the run
        run.context.tell(Trouble(f"internal error: {error!r}"))
        return None
    return None if any(busy) else duration_of(timeline).whole


async def _plan(
    context: Context,
    config: Config,
    guests: Iterable[GuestFacts],
    records: Mapping[GuestId, GuestRecord],
    request: Request,
) -> Plan:
    """The plan, with the XML of the guests that it would start, or may, looked at as well."""

    def policy(guest: GuestFacts) -> Policy:
        return resolve(config, guest)

    def plan(guests: Iterable[GuestFacts], policies: Policies = policy) -> Plan:
        return plan_restore(guests, records, policies, context.boot, *request)

    # The XML may say of its guest that it is to be started.
    before = (lambda _: WILLING) if config.general.metadata else policy
    to_start = [p.guest for p in plan(guests, before).guests if p.outcome is None]
    with_xml = await with_domain_info(context.hypervisors, to_start)
    read = {guest.id: guest for guest in await with_images(context.storage, with_xml)}
    made = plan(read.get(guest.id, guest) for guest in guests)
    return replace(made, guests=tuple(map(_refuse_unread, made.guests)))


def _refuse_unread(plan: GuestPlan) -> GuestPlan:
    """A guest without readable XML may be another manager's, and run elsewhere by now."""
    if plan.outcome is not None or plan.guest.info.disks is not None:
        return plan
    reason = "its XML could not be read"
    return replace(plan, steps=(), outcome=Outcome.UNKNOWN, reason=reason)


_Work = Callable[[], Awaitable[None]]
#: Until a guest that did not come up is tried again, as long as others are at work: the first time.
AGAIN = 5.0


class _Restore:
    def __init__(
        self,
        run: Run,
        inventory: Inventory,
        request: Request,
        order: RunOrder,
        going: Mapping[GuestId, Step],
    ) -> None:
        self._run = run
        self._context = run.context
        self._inventory = inventory
        self._request = request
        self._order, self._going = order, going
        self._slots = Slots(run.config.boot.parallel)
        self._checks = ReadyChecks(run.context.probe)
        self._at_work = AtWork()
        self._results: dict[GuestId, GuestResult] = {}

    async def carry_out(self, plan: Plan, busy: Iterable[GuestFacts]) -> RunResult:
        """busy: those that are just being saved, by a run that was killed or by others."""
        interrupted = await interruptible(self._start_all(plan, busy))
        lost = self._inventory.lost_reasons
        return await self._run.end(self._results.values(), lost, interrupted=interrupted)

    async def _start_all(self, plan: Plan, busy: Iterable[GuestFacts]) -> None:
        works: list[tuple[GuestFacts, _Work]] = [
            (planned.guest, partial(self._carry_out, planned)) for planned in plan.guests
        ]
        works += [(guest, self._waits(guest)) for guest in busy]
        self._at_work.begins(len(works))
        async with asyncio.TaskGroup() as group:
            for guest, work in works:
                group.create_task(self._one(guest, work))

    async def _one(self, guest: GuestFacts, work: _Work) -> None:
        """A guest that is waited for does not keep the others from their turn."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a fault with one guest must not end the others
            self._context.tell(Trouble(f"internal error: {error!r}"))
            reason = f"internal error: {error!r}"
            self._done(GuestResult(guest.id, guest.name, Outcome.FAILED, reason=reason))
        finally:
            self._order.is_through(guest.id)
            self._at_work.ends()
        await self._keep_at_it(guest)

    async def _carry_out(self, plan: GuestPlan) -> None:
        if plan.outcome is None:
            self._done(await self._bring_up(self._run, plan))
        else:
            self._done(await self._skip(plan.guest, plan.outcome, plan.reason))

    async def _bring_up(self, run: Run, plan: GuestPlan) -> GuestResult:
        bring_up = BringUp(run, plan, self._request.decision, self._order, self._checks)
        delay = run.policy(plan.guest).boot.start_delay
        result = await bring_up.carry_out(partial(self._slots.turn, delay))
        unready, is_up = bool(result.unready), bring_up.is_up
        self._order.is_through(plan.guest.id, is_up=is_up, unready=unready)
        return result

    # While others are at work

    async def _keep_at_it(self, guest: GuestFacts) -> None:
        """Who did not come up is tried again as long as others keep the run at work.

        After it the service does: one start that hangs must not keep it from that for minutes.
        """
        pause = AGAIN
        while self._may_still_come(guest.id) and await self._at_work.goes_on_for(pause):
            try:
                await self._try_again(guest)
            except Exception as error:  # noqa: BLE001 - a fault with one must not end the others
                self._context.tell(Trouble(f"internal error: {error!r}"))
            pause *= 2

    def _may_still_come(self, guest: GuestId) -> bool:
        """Whether the service would try it; a start that libvirt may be at is left to itself."""
        run, result = self._run, self._results.get(guest)
        if result is None or not (run.trigger.keeps_at_it and run.context.tries_later):
            return False
        hangs = any(step.end is StepEnd.TIMED_OUT for step in result.steps)
        return result.is_not_yet and not hangs and not run.is_quiet

    async def _try_again(self, guest: GuestFacts) -> None:
        """As the service would: nothing is told of what comes to nothing once more."""
        live = LiveGuest(guest, self._context.hypervisors[guest.id.uri], retry_for=0.0)
        with contextlib.suppress(HypervisorError):
            facts = await live.observe()
            if facts is None or facts.starting:
                return
            for plan in (await self._planned(facts)).guests:
                if plan.outcome is None:
                    await self._try_quietly(plan)

    async def _try_quietly(self, plan: GuestPlan) -> None:
        told: list[RunEvent] = []
        context = replace(self._context, tell=told.append)
        run = replace(self._run, context=context, trigger=Trigger.LATE)
        result = await self._bring_up(run, plan)
        self._results[result.guest] = result
        if not result.is_not_yet:
            for event in (*told, GuestEnded(result)):
                self._context.tell(event)

    def _waits(self, guest: GuestFacts) -> _Work:
        begun = None if guest.saving else self._going.get(guest.id)
        if begun is None:
            return partial(self._after_its_save, guest)
        return partial(self._after_what_was_begun, guest, begun)

    async def _after_its_save(self, guest: GuestFacts) -> None:
        """What is wanted of it can be told once the save has ended."""
        self._context.tell(Trouble(f"{guest.name}: waiting for its save to end"))
        live = LiveGuest(guest, self._context.hypervisors[guest.id.uri])
        shutdown = self._run.policy(guest).shutdown
        limit = min(shutdown.save_timeout, shutdown.deadline)
        ended = await live.wait_until(lambda facts: facts is None or not facts.saving, limit)
        if not live.facts.saving:
            await self._bring_back(live.facts)
        elif ended:
            self._done(await self._skip(guest, Outcome.GONE, NOT_LISTED))
        else:
            await take_notice(self._context, [guest])
            self._done(await self._skip(guest, Outcome.UNKNOWN, "its save has not ended yet"))

    async def _after_what_was_begun(self, guest: GuestFacts, step: Step) -> None:
        """A run that was cut off was to take it down: that may come about all the same."""
        facts = await what_comes_of(self._run, guest, step)
        if facts is None:
            self._done(await self._skip(guest, Outcome.GONE, NOT_LISTED))
        elif facts.saving:
            await self._after_its_save(facts)
        elif facts.down:
            await self._bring_back(facts)
        else:
            self._done(await self._skip(guest, Outcome.SKIPPED, "it is up still"))

    async def _bring_back(self, guest: GuestFacts) -> None:
        for guest_plan in (await self._planned(guest)).guests:
            self._context.tell(GuestAdded(guest_plan))
            await self._carry_out(guest_plan)

    async def _planned(self, guest: GuestFacts) -> Plan:
        """What is to be done with it by now."""
        records, _ = await take_notice(self._context, [guest])
        return await _plan(self._context, self._run.config, [guest], records, self._request)

    async def _skip(self, guest: GuestFacts, outcome: Outcome, reason: str) -> GuestResult:
        result = GuestResult(guest.id, guest.name, outcome, reason=reason)
        await self._context.ledger(lambda ledger: self._run.record_end(ledger, result), None)
        return result

    def _done(self, result: GuestResult) -> None:
        self._results[result.guest] = result
        self._context.tell(GuestEnded(result))
