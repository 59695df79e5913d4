"""A run that takes guests down: every ladder in parallel, and who turns up meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ..config.config import Config
from ..decisions.forecast import SaveForecast
from ..decisions.plan import plan_down
from ..decisions.policy import resolve
from ..decisions.wanted import desired
from ..ledger.ledger import Ledger
from ..model.event import EventKind, GuestEvent
from ..model.guest import GuestFacts, GuestId, State
from ..model.history import Note
from ..model.plan import GuestPlan, Outcome, Plan, RunKind
from ..model.ports import HypervisorError
from ..model.record import GuestRecord, Wanted
from ..model.result import GuestResult, RunResult, Trigger
from ..model.save import SaveRecord
from ..model.stop import StoppedBy
from . import run as runs
from .context import Context, Inventory, read_all, room_for_saves, with_domain_info
from .live_guest import LiveGuest
from .run import Run
from .steps import MOST_POLLS
from .take_down import Slots, TakeDown

#: How often a guest that somebody starts again in mid-run is taken down anew.
MAX_ATTEMPTS = 3
#: Nothing more is done in this run to a guest that ended so, though it may be up.
_FINAL = frozenset({Outcome.FAILED, Outcome.SKIPPED, Outcome.UNKNOWN})


async def preserve(
    context: Context,
    config: Config,
    kind: RunKind,
    trigger: Trigger,
    seen: Inventory,
    named: frozenset[GuestId] | None = None,
    begun: float | None = None,
    note: Note | None = None,
) -> RunResult:
    """Take guests down: to safety (PRESERVE), or because they are wanted off (SHUTDOWN).

    named: only these guests; else all that are up, and all that come up meanwhile.
    begun: when the deadline began to run, on the loop's clock; now, unless told.
    words: what is said about why.
    Cancelling it ends the run early; the result says so.
    """
    known = await runs.take_notice(context, seen)
    if known is None:
        seen = runs.without_ledger(seen)
        known = {}
    if kind is RunKind.SHUTDOWN and named is None:
        await _want_all_off(context, [g for g in seen.guests if g.down], known)
    up = await with_domain_info(context.hypervisors, [g for g in seen.guests if not g.down])
    guests = [*up, *(guest for guest in seen.guests if guest.down)]
    forecast = await _forecast(context, config)
    plan = plan_down(kind, guests, partial(resolve, config), named, forecast)
    run = await runs.begin(context, config, kind, trigger, begun)
    await runs.write_note(context, note, plan)
    context.report.run_begins(plan, trigger)
    return await _Preserve(run, seen, named).carry_out(plan)


async def _want_all_off(
    context: Context, down: list[GuestFacts], known: Mapping[GuestId, GuestRecord]
) -> None:
    """`shutdown --all` speaks for guests that are down as well, and were to come back."""
    owed = [g for g in down if desired(known.get(g.id), g, context.boot).wanted is Wanted.ON]

    def write(ledger: Ledger) -> None:
        for guest in owed:
            ledger.want(guest, Wanted.OFF, StoppedBy.OPERATOR)
            ledger.trail.add(guest.id, "guestctl:shutdown", "all guests are wanted off")

    await context.ledger(write, None)


async def _forecast(context: Context, config: Config) -> SaveForecast:
    nothing: list[SaveRecord] = []
    records = await context.ledger(lambda ledger: ledger.saves.all(), nothing)
    room = await room_for_saves(context.storage, context.hypervisors)
    return SaveForecast(tuple(records), room, config.shutdown.save_reserve)


class _Preserve:
    def __init__(self, run: Run, seen: Inventory, named: frozenset[GuestId] | None) -> None:
        self._run = run
        self._context = run.context
        self._lost = seen.lost_reasons
        self._named = named
        self._slots = Slots(
            asyncio.Semaphore(run.config.shutdown.parallel), asyncio.Semaphore(MOST_POLLS)
        )
        self._live: dict[GuestId, LiveGuest] = {}
        self._plans: dict[GuestId, GuestPlan] = {}
        self._results: dict[GuestId, GuestResult] = {}
        self._attempts: Counter[GuestId] = Counter()
        self._group: asyncio.TaskGroup | None = None

    async def carry_out(self, plan: Plan) -> RunResult:
        unsubscribe = [h.listen(self._hear) for h in self._context.hypervisors.values()]
        try:
            interrupted = await runs.interruptible(self._rounds(plan.guests))
        finally:
            for stop_listening in unsubscribe:
                stop_listening()
        return await runs.end(
            self._run, self._results.values(), self._lost, interrupted=interrupted
        )

    async def _rounds(self, plans: tuple[GuestPlan, ...]) -> None:
        """Take guests down until none is left that can be."""
        while plans:
            await self._all_at_once(plans)
            plans = await self._still_up()

    async def _all_at_once(self, plans: tuple[GuestPlan, ...]) -> None:
        try:
            async with asyncio.TaskGroup() as self._group:
                for plan in plans:
                    self._begin(plan, self._group)
        finally:
            self._group = None

    def _begin(self, plan: GuestPlan, group: asyncio.TaskGroup) -> None:
        guest = plan.guest
        hypervisor = self._context.hypervisors[guest.id.uri]
        live = LiveGuest(guest, hypervisor, self._run.ends, self._run.patience)
        self._live[guest.id] = live
        self._plans[guest.id] = plan
        self._attempts[guest.id] += 1
        take_down = TakeDown(self._run, live, plan, self._slots)
        group.create_task(self._take_down(take_down, guest.id), name=f"guest {guest.name}")

    async def _take_down(self, take_down: TakeDown, guest: GuestId) -> None:
        try:
            await take_down.carry_out()
        except Exception as error:  # noqa: BLE001 - a fault with one guest must not end the others
            self._context.report.trouble(f"internal error: {error!r}")
            take_down.give_up(error)
        finally:
            del self._live[guest]
            if take_down.result is not None:
                self._results[guest] = take_down.result
                self._context.report.guest_ends(take_down.result)

    def _hear(self, event: GuestEvent) -> None:
        """An event, of a guest that is being taken down or of one that has just started."""
        if live := self._live.get(event.guest):
            live.hear(event)
        elif event.kind is EventKind.STARTED and self._named is None and self._group:
            newcomer = self._add(event, self._group)
            try:
                self._group.create_task(newcomer)
            except RuntimeError:
                newcomer.close()  # the group is ending: the look after the round will find it

    async def _add(self, event: GuestEvent, group: asyncio.TaskGroup) -> None:
        hypervisor = self._context.hypervisors[event.guest.uri]
        live = LiveGuest(GuestFacts(event.guest, event.name, State.UNKNOWN), hypervisor)
        try:
            facts = await live.observe()
        except HypervisorError:
            return  # the look at the end of the round will find it
        for plan in await self._plan([facts] if facts is not None and facts.up else []):
            if not self._dealt_with(event.guest):
                self._begin(plan, group)

    def _dealt_with(self, guest: GuestId) -> bool:
        if guest in self._live or self._attempts[guest] >= MAX_ATTEMPTS:
            return True
        result = self._results.get(guest)
        return result is not None and result.outcome in _FINAL

    async def _plan(self, guests: list[GuestFacts]) -> tuple[GuestPlan, ...]:
        """Plans for guests that turned up, with the room that others leave them."""
        if not guests:
            return ()
        forecast = await _forecast(self._context, self._run.config)
        left = {uri: free - self._taken(uri) for uri, free in forecast.room.items()}
        plans = plan_down(
            self._run.kind,
            await with_domain_info(self._context.hypervisors, guests),
            self._run.policy,
            forecast=replace(forecast, room=left),
        ).guests
        for plan in plans:
            self._context.report.guest_added(plan)
        return plans

    def _taken(self, uri: str) -> int:
        """Bytes that saves under way, or still to come, can need."""
        return sum(
            plan.guest.memory
            for guest, plan in self._plans.items()
            if guest in self._live and guest.uri == uri and plan.saves
        )

    async def _still_up(self) -> tuple[GuestPlan, ...]:
        """Plans for guests that are up though this run has no more to do."""
        if self._named is not None:
            return ()
        seen = await read_all(self._context.hypervisors)
        self._lost = {**self._forever_lost(), **seen.lost_reasons}
        up = [guest for guest in seen.guests if not guest.down]
        for guest in up:
            self._admit_defeat(guest.id)
        return await self._plan([guest for guest in up if not self._dealt_with(guest.id)])

    def _forever_lost(self) -> dict[str, str]:
        """What no reading of connections brings back: the ledger."""
        return {
            name: why for name, why in self._lost.items() if name not in self._context.hypervisors
        }

    def _admit_defeat(self, guest: GuestId) -> None:
        """A guest that was taken down and is up again, once too often, is not safe."""
        result = self._results.get(guest)
        if result and result.outcome not in _FINAL and self._attempts[guest] >= MAX_ATTEMPTS:
            reason = f"somebody started it again {MAX_ATTEMPTS} times"
            self._results[guest] = replace(result, outcome=Outcome.FAILED, reason=reason)
