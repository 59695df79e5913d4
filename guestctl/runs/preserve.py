"""A run that takes guests down: every ladder in parallel, and who turns up meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ..config.config import Config
from ..decisions.forecast import Prospects
from ..decisions.plan import plan_down
from ..decisions.policy import resolve
from ..decisions.wanted import wish
from ..ledger.ledger import Ledger
from ..ledger.trail import Words
from ..model.event import EventKind, GuestEvent
from ..model.guest import (
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
    SaveRecord,
    State,
    StoppedBy,
    Wanted,
)
from ..model.ports import HypervisorError
from . import run as runs
from .context import Seen, World, read_all, room_for_saves, with_natures
from .live_guest import Subject
from .run import Run
from .steps import MOST_POLLS
from .take_down import Ladder, Slots

#: How often a guest that somebody starts again in mid-run is taken down anew.
MAX_LADDERS = 3
#: Nothing more is done in this run to a guest that ended so, though it may be up.
_FINAL = frozenset({Outcome.FAILED, Outcome.SKIPPED, Outcome.UNKNOWN})


async def preserve(
    world: World,
    config: Config,
    kind: RunKind,
    door: Door,
    seen: Seen,
    named: frozenset[GuestId] | None = None,
    begun: float | None = None,
    words: Words | None = None,
) -> RunResult:
    """Take guests down: to safety (PRESERVE), or because they are wanted off (SHUTDOWN).

    named: only these guests; else all that are up, and all that come up meanwhile.
    begun: when the deadline began to run, on the loop's clock; now, unless told.
    words: what is said about why.
    Cancelling it ends the run early; the result says so.
    """
    known = await runs.take_notice(world, seen)
    if known is None:
        seen = runs.without_ledger(seen)
        known = {}
    if kind is RunKind.SHUTDOWN and named is None:
        await _want_all_off(world, [g for g in seen.guests if g.down], known)
    up = await with_natures(world.hypervisors, [g for g in seen.guests if not g.down])
    guests = [*up, *(guest for guest in seen.guests if guest.down)]
    prospects = await _prospects(world, config)
    plan = plan_down(kind, guests, partial(resolve, config), named, prospects)
    run = await runs.begin(world, config, kind, door, begun)
    await runs.write_words(world, words, plan)
    world.report.run_begins(plan, door)
    return await _Preserve(run, seen, named).carry_out(plan)


async def _want_all_off(
    world: World, down: list[GuestFacts], known: Mapping[GuestId, Known]
) -> None:
    """`shutdown --all` speaks for guests that are down as well, and were to come back."""
    owed = [g for g in down if wish(known.get(g.id), g, world.boot).wanted is Wanted.ON]

    def write(ledger: Ledger) -> None:
        for guest in owed:
            ledger.want(guest, Wanted.OFF, StoppedBy.OPERATOR)
            ledger.trail.add(guest.id, "guestctl:shutdown", "all guests are wanted off")

    await world.scribe(write, None)


async def _prospects(world: World, config: Config) -> Prospects:
    nothing: list[SaveRecord] = []
    records = await world.scribe(lambda ledger: ledger.saves.all(), nothing)
    room = await room_for_saves(world.storage, world.hypervisors)
    return Prospects(tuple(records), room, config.shutdown.save_reserve)


class _Preserve:
    def __init__(self, run: Run, seen: Seen, named: frozenset[GuestId] | None) -> None:
        self._run = run
        self._world = run.world
        self._lost = seen.lost_reasons
        self._named = named
        self._slots = Slots(
            asyncio.Semaphore(run.config.shutdown.parallel), asyncio.Semaphore(MOST_POLLS)
        )
        self._subjects: dict[GuestId, Subject] = {}
        self._plans: dict[GuestId, GuestPlan] = {}
        self._results: dict[GuestId, GuestResult] = {}
        self._ladders: Counter[GuestId] = Counter()
        self._group: asyncio.TaskGroup | None = None

    async def carry_out(self, plan: Plan) -> RunResult:
        deafen = [h.listen(self._hear) for h in self._world.hypervisors.values()]
        try:
            interrupted = await runs.interruptible(self._rounds(plan.guests))
        finally:
            for stop_listening in deafen:
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
        hypervisor = self._world.hypervisors[guest.id.uri]
        subject = Subject(guest, hypervisor, self._run.ends, self._run.patience)
        self._subjects[guest.id] = subject
        self._plans[guest.id] = plan
        self._ladders[guest.id] += 1
        ladder = Ladder(self._run, subject, plan, self._slots)
        group.create_task(self._climb(ladder, guest.id), name=f"guest {guest.name}")

    async def _climb(self, ladder: Ladder, guest: GuestId) -> None:
        try:
            await ladder.climb_down()
        except Exception as error:  # noqa: BLE001 - a fault with one guest must not end the others
            self._world.report.trouble(f"internal error: {error!r}")
            ladder.give_up(error)
        finally:
            del self._subjects[guest]
            if ladder.result is not None:
                self._results[guest] = ladder.result
                self._world.report.guest_ends(ladder.result)

    def _hear(self, event: GuestEvent) -> None:
        """An event, of a guest that is being taken down or of one that has just started."""
        if subject := self._subjects.get(event.guest):
            subject.hear(event)
        elif event.kind is EventKind.STARTED and self._named is None and self._group:
            newcomer = self._add(event, self._group)
            try:
                self._group.create_task(newcomer)
            except RuntimeError:
                newcomer.close()  # the group is ending: the look after the round will find it

    async def _add(self, event: GuestEvent, group: asyncio.TaskGroup) -> None:
        hypervisor = self._world.hypervisors[event.guest.uri]
        subject = Subject(GuestFacts(event.guest, event.name, State.UNKNOWN), hypervisor)
        try:
            facts = await subject.observe()
        except HypervisorError:
            return  # the look at the end of the round will find it
        for plan in await self._plan([facts] if facts is not None and facts.up else []):
            if not self._dealt_with(event.guest):
                self._begin(plan, group)

    def _dealt_with(self, guest: GuestId) -> bool:
        if guest in self._subjects or self._ladders[guest] >= MAX_LADDERS:
            return True
        result = self._results.get(guest)
        return result is not None and result.outcome in _FINAL

    async def _plan(self, guests: list[GuestFacts]) -> tuple[GuestPlan, ...]:
        """Plans for guests that turned up, with the room that others leave them."""
        if not guests:
            return ()
        prospects = await _prospects(self._world, self._run.config)
        left = {uri: free - self._taken(uri) for uri, free in prospects.room.items()}
        plans = plan_down(
            self._run.kind,
            await with_natures(self._world.hypervisors, guests),
            self._run.policy,
            prospects=replace(prospects, room=left),
        ).guests
        for plan in plans:
            self._world.report.guest_added(plan)
        return plans

    def _taken(self, uri: str) -> int:
        """Bytes that saves under way, or still to come, can need."""
        return sum(
            plan.guest.memory
            for guest, plan in self._plans.items()
            if guest in self._subjects and guest.uri == uri and plan.saves
        )

    async def _still_up(self) -> tuple[GuestPlan, ...]:
        """Plans for guests that are up though this run has no more to do."""
        if self._named is not None:
            return ()
        seen = await read_all(self._world.hypervisors)
        self._lost = {**self._forever_lost(), **seen.lost_reasons}
        up = [guest for guest in seen.guests if not guest.down]
        for guest in up:
            self._admit_defeat(guest.id)
        return await self._plan([guest for guest in up if not self._dealt_with(guest.id)])

    def _forever_lost(self) -> dict[str, str]:
        """What no reading of connections brings back: the ledger."""
        return {
            name: why for name, why in self._lost.items() if name not in self._world.hypervisors
        }

    def _admit_defeat(self, guest: GuestId) -> None:
        """A guest that was taken down and is up again, once too often, is not safe."""
        result = self._results.get(guest)
        if result and result.outcome not in _FINAL and self._ladders[guest] >= MAX_LADDERS:
            reason = f"somebody started it again {MAX_LADDERS} times"
            self._results[guest] = replace(result, outcome=Outcome.FAILED, reason=reason)
