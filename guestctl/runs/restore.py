"""A run that brings guests back: resumed from their saves, or started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ..config.config import Config
from ..decisions.plan import plan_missing, plan_restore
from ..decisions.policy import Policy, resolve
from ..model.guest import GuestFacts, GuestId
from ..model.history import Note
from ..model.options import SaveDecision
from ..model.plan import GuestPlan, Outcome, Plan, RunKind
from ..model.record import GuestRecord
from ..model.result import GuestResult, RunResult, Trigger
from . import run as runs
from .bring_up import BringUp
from .context import Context, Inventory, with_domain_info
from .live_guest import LiveGuest
from .run import Run
from .save_check import with_image


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
    seen: Inventory,
    named: frozenset[GuestId] | None = None,
    decision: SaveDecision | None = None,
    autostart: Collection[str] = (),
    note: Note | None = None,
) -> RunResult:
    """Start or resume every guest that is wanted on, not up and not held; or just those named.

    decision: what a person decided about the saves of the guests named.
    autostart: connections whose guests with libvirt's autostart flag are started as well, unless
    somebody turned them off.
    words: what is said about why.
    Cancelling it lets starts under way finish in libvirt; the result says so.
    """
    noticed = await runs.take_notice(context, seen)
    known = noticed or {}
    if noticed is None and named is None:
        seen = runs.without_ledger(seen)
    request = Request(named, decision, autostart)
    busy = [g for g in seen.guests if g.saving and (named is None or g.id in named)]
    settled = [guest for guest in seen.guests if guest not in busy]
    plan = await _plan(context, config, settled, known, request)
    if named is None:
        mine = [guest for guest in known.values() if guest.id.uri in context.hypervisors]
        missing = plan_missing(seen.guests, mine, seen.lost)
        plan = Plan(plan.kind, plan.guests + missing)
    run = await runs.begin(context, config, RunKind.RESTORE, trigger)
    await runs.write_note(context, note, plan)
    context.report.run_begins(plan, trigger)
    return await _Restore(run, seen, request).carry_out(plan, busy)


async def _plan(
    context: Context,
    config: Config,
    seen: Iterable[GuestFacts],
    known: Mapping[GuestId, GuestRecord],
    request: Request,
) -> Plan:
    """The plan, with the XML of the guests that it would start looked at as well."""

    def policy(guest: GuestFacts) -> Policy:
        return resolve(config, guest)

    def plan(guests: Iterable[GuestFacts]) -> Plan:
        return plan_restore(guests, known, policy, context.boot, *request)

    to_start = [p.guest for p in plan(seen).guests if p.outcome is None]
    with_xml = await with_domain_info(context.hypervisors, to_start)
    read = {guest.id: await with_image(context.storage, guest) for guest in with_xml}
    made = plan(read.get(guest.id, guest) for guest in seen)
    return replace(made, guests=tuple(map(_refuse_unread, made.guests)))


def _refuse_unread(plan: GuestPlan) -> GuestPlan:
    """A guest without readable XML may be another manager's, and run elsewhere by now."""
    if plan.outcome is not None or plan.guest.info.disks is not None:
        return plan
    reason = "its XML could not be read"
    return replace(plan, steps=(), outcome=Outcome.UNKNOWN, reason=reason)


class _Restore:
    def __init__(self, run: Run, seen: Inventory, request: Request) -> None:
        self._run = run
        self._context = run.context
        self._seen = seen
        self._request = request
        self._turn = asyncio.Lock()
        self._delay = 0.0
        self._slots = asyncio.Semaphore(run.config.boot.parallel)
        self._results: list[GuestResult] = []

    async def carry_out(self, plan: Plan, busy: Iterable[GuestFacts]) -> RunResult:
        """busy: those that are just being saved, by a run that was killed or by others."""
        interrupted = await runs.interruptible(self._start_all(plan, busy))
        lost = self._seen.lost_reasons
        return await runs.end(self._run, self._results, lost, interrupted=interrupted)

    async def _start_all(self, plan: Plan, busy: Iterable[GuestFacts]) -> None:
        async with asyncio.TaskGroup() as group:
            for guest_plan in plan.guests:
                work = partial(self._carry_out, guest_plan)
                group.create_task(self._one(guest_plan.guest, work))
            for guest in busy:
                group.create_task(self._one(guest, partial(self._after_its_save, guest)))

    async def _one(self, guest: GuestFacts, work: Callable[[], Awaitable[None]]) -> None:
        """A guest that is waited for does not keep the others from their turn."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a fault with one guest must not end the others
            self._context.report.trouble(f"internal error: {error!r}")
            reason = f"internal error: {error!r}"
            self._done(GuestResult(guest.id, guest.name, Outcome.FAILED, reason=reason))

    async def _carry_out(self, plan: GuestPlan) -> None:
        if plan.outcome is None:
            await self._bring_up(plan)
        else:
            self._done(await self._skip(plan))

    async def _after_its_save(self, guest: GuestFacts) -> None:
        """What is wanted of it can be told once the save has ended."""
        self._context.report.trouble(f"{guest.name}: waiting for its save to end")
        live = LiveGuest(guest, self._context.hypervisors[guest.id.uri])
        limit = self._run.policy(guest).shutdown.save_timeout
        ended = await live.wait_until(lambda facts: facts is None or not facts.saving, limit)
        if not live.facts.saving:
            await self._bring_back(live.facts)
        elif ended:
            await self._give_up(guest, Outcome.GONE, "it was undefined meanwhile")
        else:
            await runs.take_notice(self._context, Inventory((guest,), {}))
            await self._give_up(guest, Outcome.UNKNOWN, "its save has not ended yet")

    async def _give_up(self, guest: GuestFacts, outcome: Outcome, reason: str) -> None:
        self._done(await self._skip(GuestPlan(guest, outcome=outcome, reason=reason)))

    async def _bring_back(self, guest: GuestFacts) -> None:
        now = Inventory((guest,), {})
        known = await runs.take_notice(self._context, now) or {}
        plan = await _plan(self._context, self._run.config, now.guests, known, self._request)
        for guest_plan in plan.guests:
            self._context.report.guest_added(guest_plan)
            await self._carry_out(guest_plan)

    async def _bring_up(self, plan: GuestPlan) -> None:
        bring_up = BringUp(self._run, plan, self._request.decision)
        if await bring_up.prepare():
            await self._wait_for_turn(self._run.policy(plan.guest).boot.start_delay)
            try:
                if await bring_up.look_again():
                    await bring_up.start()
            finally:
                self._slots.release()
        self._done(await bring_up.finish())

    async def _wait_for_turn(self, delay: float) -> None:
        """One after another as slots get free, each `start-delay` after the one before."""
        async with self._turn:
            await asyncio.sleep(self._delay)
            await self._slots.acquire()
            self._delay = delay

    async def _skip(self, plan: GuestPlan) -> GuestResult:
        assert plan.outcome is not None
        guest = plan.guest
        result = GuestResult(guest.id, guest.name, plan.outcome, reason=plan.reason)
        await self._context.ledger(lambda ledger: self._run.record_end(ledger, result), None)
        return result

    def _done(self, result: GuestResult) -> None:
        self._results.append(result)
        self._context.report.guest_ends(result)
