"""A run that brings guests back: resumed from their saves, or started."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from . import run as runs
from .ascent import Ascent
from .config import Config
from .evidence import image_text
from .model import (
    Door,
    GuestFacts,
    GuestId,
    GuestPlan,
    GuestResult,
    Known,
    Outcome,
    Plan,
    RunKind,
    RunResult,
    SaveDecision,
)
from .plan import plan_missing, plan_restore
from .policy import resolve
from .ports import Storage
from .run import Run
from .subject import Subject
from .world import Seen, World, with_natures


async def restore(
    world: World,
    config: Config,
    door: Door,
    seen: Seen,
    named: frozenset[GuestId] | None = None,
    decision: SaveDecision | None = None,
    autostart: Collection[str] = (),
) -> RunResult:
    """Start or resume every guest that is wanted on, not up and not held; or just those named.

    decision: what a person decided about the saves of the guests named.
    autostart: connections whose guests with libvirt's autostart flag are started as well, unless
    somebody turned them off.
    Cancelling it lets starts under way finish in libvirt; the result says so.
    """
    seen = await _after_saves(world, config, seen, named)
    noticed = await runs.take_notice(world, seen)
    known = noticed or {}
    if noticed is None and named is None:
        seen = runs.without_ledger(seen)
    plan = await _plan(world, config, seen, known, named, decision, autostart)
    if named is None:
        mine = [guest for guest in known.values() if guest.id.uri in world.hypervisors]
        missing = plan_missing(seen.guests, mine, seen.lost)
        plan = Plan(plan.kind, plan.guests + missing)
    run = await runs.begin(world, config, RunKind.RESTORE, door)
    world.report.run_begins(plan, door)
    return await _Restore(run, seen, decision).carry_out(plan)


async def _after_saves(
    world: World, config: Config, seen: Seen, named: frozenset[GuestId] | None
) -> Seen:
    """What is seen once saves under way have ended: a run that was killed left them to libvirt."""
    meant = {guest.id for guest in seen.guests} if named is None else named
    guests = [_after_save(world, config, guest, meant) for guest in seen.guests]
    return replace(seen, guests=tuple(await asyncio.gather(*guests)))


async def _after_save(
    world: World, config: Config, guest: GuestFacts, meant: Collection[GuestId]
) -> GuestFacts:
    if not guest.saving or guest.id not in meant:
        return guest
    world.report.trouble(f"{guest.name}: waiting for its save to end")
    subject = Subject(guest, world.hypervisors[guest.id.uri])
    limit = resolve(config, guest).shutdown.save_timeout
    await subject.wait_until(lambda facts: facts is None or not facts.saving, limit)
    return subject.facts


async def _plan(
    world: World,
    config: Config,
    seen: Seen,
    known: Mapping[GuestId, Known],
    named: frozenset[GuestId] | None,
    decision: SaveDecision | None,
    autostart: Collection[str],
) -> Plan:
    """The plan, with the XML of the guests that it would start looked at as well."""

    def plan(guests: Iterable[GuestFacts]) -> Plan:
        policies = lambda guest: resolve(config, guest)  # noqa: E731
        boot = world.boot
        return plan_restore(guests, known, policies, boot, named, decision, autostart)

    to_start = [p.guest for p in plan(seen.guests).guests if p.verdict is None]
    with_xml = await with_natures(world.hypervisors, to_start)
    read = {guest.id: await _with_image(world.storage, guest) for guest in with_xml}
    made = plan(read.get(guest.id, guest) for guest in seen.guests)
    return replace(made, guests=tuple(map(_refuse_unread, made.guests)))


async def _with_image(storage: Storage, guest: GuestFacts) -> GuestFacts:
    """libvirt starts from an image that is there, also from one of which it does not know.

    Whether a guest has a save is a flag of the daemon's, set by a save and when it starts; one put
    back by hand since goes unnoticed (seen on libvirt 9.0).
    """
    return replace(guest, saved=guest.saved or await image_text(storage, guest) is not None)


def _refuse_unread(plan: GuestPlan) -> GuestPlan:
    """A guest without readable XML may be another manager's, and run elsewhere by now."""
    if plan.verdict is not None or plan.guest.nature.disks is not None:
        return plan
    reason = "its XML could not be read"
    return replace(plan, steps=(), verdict=Outcome.UNKNOWN, reason=reason)


class _Restore:
    def __init__(self, run: Run, seen: Seen, decision: SaveDecision | None) -> None:
        self._run = run
        self._world = run.world
        self._seen = seen
        self._decision = decision
        self._turn = asyncio.Lock()
        self._delay = 0.0
        self._slots = asyncio.Semaphore(run.config.boot.parallel)
        self._results: list[GuestResult] = []

    async def carry_out(self, plan: Plan) -> RunResult:
        interrupted = await runs.interruptible(self._start_all(plan))
        lost = self._seen.lost_reasons
        return await runs.end(self._run, self._results, lost, interrupted=interrupted)

    async def _start_all(self, plan: Plan) -> None:
        async with asyncio.TaskGroup() as group:
            for guest_plan in plan.guests:
                if guest_plan.verdict is None:
                    group.create_task(self._one(guest_plan))
                else:
                    self._done(await self._skip(guest_plan))

    async def _one(self, plan: GuestPlan) -> None:
        """A guest whose disks are waited for does not keep the others from their turn."""
        try:
            await self._bring_up(plan)
        except Exception as error:  # noqa: BLE001 - a fault with one guest must not end the others
            self._world.report.trouble(f"internal error: {error!r}")
            guest, reason = plan.guest, f"internal error: {error!r}"
            self._done(GuestResult(guest.id, guest.name, Outcome.FAILED, reason=reason))

    async def _bring_up(self, plan: GuestPlan) -> None:
        ascent = Ascent(self._run, plan, self._decision)
        if await ascent.prepare():
            await self._wait_for_turn(self._run.policy(plan.guest).boot.start_delay)
            try:
                if await ascent.look_again():
                    await ascent.start()
            finally:
                self._slots.release()
        self._done(await ascent.finish())

    async def _wait_for_turn(self, delay: float) -> None:
        """One after another as slots get free, each `start-delay` after the one before."""
        async with self._turn:
            await asyncio.sleep(self._delay)
            await self._slots.acquire()
            self._delay = delay

    async def _skip(self, plan: GuestPlan) -> GuestResult:
        assert plan.verdict is not None
        guest = plan.guest
        result = GuestResult(guest.id, guest.name, plan.verdict, reason=plan.reason)
        await self._world.scribe(lambda ledger: self._run.record_end(ledger, result), None)
        return result

    def _done(self, result: GuestResult) -> None:
        self._results.append(result)
        self._world.report.guest_ends(result)
