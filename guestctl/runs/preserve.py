"""A run that takes guests down: all of them side by side, and who turns up meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial

from ..config.config import Config
from ..decisions.duration import duration_of
from ..decisions.timeline import longest_first, timeline_down
from ..model.event import EventKind, GuestEvent
from ..model.guest import GuestFacts, GuestId, State
from ..model.history import Note
from ..model.plan import GuestPlan, Outcome, Plan, RunKind
from ..model.ports import HypervisorError
from ..model.record import GuestRecord
from ..model.report import GuestAdded, GuestEnded, RunBegan, Trouble
from ..model.result import GuestResult, RunResult, Trigger
from . import opening
from .context import Context, Inventory, read_all
from .live_guest import LiveGuest
from .opening import Opened
from .order import RunOrder, order_down
from .reconcile import without
from .run import Run, interruptible
from .shutting_down import ShutdownSlots
from .steps import MOST_POLLS
from .take_down import Slots, TakeDown
from .take_down_log import TakeDownLog

#: How often a guest that somebody starts again in mid-run is taken down anew.
MAX_ATTEMPTS = 3
#: Nothing more is done in this run to a guest that ended so, though it may be up.
_FINAL = frozenset({Outcome.FAILED, Outcome.SKIPPED, Outcome.UNKNOWN})


async def preserve(
    context: Context,
    config: Config,
    kind: RunKind,
    trigger: Trigger,
    inventory: Inventory,
    named: frozenset[GuestId] | None = None,
    begun: float | None = None,
    note: Note | None = None,
    up: Collection[GuestId] = (),
    left: Collection[GuestId] = (),
    sheds: str | None = None,
    without_ledger: bool = False,
) -> RunResult:
    """Take guests down: to safety (PRESERVE), or because they are wanted off (SHUTDOWN).

    named: only these guests; else all that are up, and all that come up meanwhile.
    begun: when the deadline began to run, on the loop's clock; now, unless told.
    note: what is said about why.
    up: who was up when the host began to go down, if it does.  left: see plan_down.
    sheds: why guests are shed; None where they are not.  without_ledger: see Run.
    Cancelling it ends the run early; the result says so.
    """
    request = opening.Request(
        context, config, kind, trigger, named, begun, note, up, left, sheds, without_ledger
    )
    opened = await opening.open_run(request, inventory.guests)
    inventory = without(inventory, opened.loss)
    run = opened.run
    order = order_down(run, opened.plan.guests)
    takes = _takes(run, opened.plan, order)
    context.tell(RunBegan(opened.plan, trigger, run.number, run.left, takes))
    order.say_mistakes(context.tell)
    return await _Preserve(run, inventory, named, order).carry_out(opened)


def _takes(run: Run, plan: Plan, order: RunOrder) -> float | None:
    """How many seconds the run should take, where that is known."""
    shutdown = run.config.shutdown
    parallel, shutdowns = shutdown.parallel, shutdown.parallel_shutdowns
    try:
        sequence, budget = order.sequence, run.budget
        timeline = timeline_down(plan, parallel, budget, sequence, run.left, shutdowns)
    except Exception as error:  # noqa: BLE001 - what is only shown must not end the run
        run.context.tell(Trouble(f"internal error: {error!r}"))
        return None
    return duration_of(timeline).whole


class _Preserve:
    """One such run.  In one piece: who turns up meanwhile depends on who is at work by then."""

    def __init__(
        self,
        run: Run,
        inventory: Inventory,
        named: frozenset[GuestId] | None,
        order: RunOrder,
    ) -> None:
        self._run = run
        self._context = run.context
        self._lost = inventory.lost_reasons
        self._named = named
        self._slots = Slots(
            asyncio.Semaphore(run.config.shutdown.parallel),
            asyncio.Semaphore(MOST_POLLS),
            ShutdownSlots(run.config.shutdown.parallel_shutdowns),
        )
        self._order = order
        #: What was known of guests before the run's intents were written down.
        self._before: dict[GuestId, GuestRecord] = {}
        #: Whose intents could not be.
        self._unwritten: set[GuestId] = set()
        self._live: dict[GuestId, LiveGuest] = {}
        #: Whose task is there, and has not begun.
        self._unbegun: dict[GuestId, TakeDownLog] = {}
        self._plans: dict[GuestId, GuestPlan] = {}
        self._results: dict[GuestId, GuestResult] = {}
        self._attempts: Counter[GuestId] = Counter()
        #: Who has just started, and is being looked at: what it is told twice is done once.
        self._adding: set[GuestId] = set()
        self._group: asyncio.TaskGroup | None = None

    async def carry_out(self, opened: Opened) -> RunResult:
        self._take_in(opened)
        unsubscribe = [h.listen(self._on_event) for h in self._context.hypervisors.values()]
        try:
            interrupted = await interruptible(self._rounds(opened.plan.guests))
            await self._conclude_unbegun()
        finally:
            for stop_listening in unsubscribe:
                stop_listening()
        return await self._run.end(self._results.values(), self._lost, interrupted=interrupted)

    def _take_in(self, opened: Opened) -> None:
        self._before |= opened.records
        guests = {plan.guest.id for plan in opened.plan.guests}
        self._unwritten = self._unwritten - guests if opened.written else self._unwritten | guests

    async def _rounds(self, plans: tuple[GuestPlan, ...]) -> None:
        """Take guests down until none is left that can be."""
        while plans:
            await self._all_at_once(plans)
            plans = await self._still_up()

    async def _all_at_once(self, plans: tuple[GuestPlan, ...]) -> None:
        try:
            async with asyncio.TaskGroup() as self._group:
                for plan in longest_first(plans, self._order.sequence, self._order.hurried):
                    self._begin(plan, self._group)
        finally:
            self._group = None

    def _begin(self, plan: GuestPlan, group: asyncio.TaskGroup) -> None:
        guest = plan.guest
        hypervisor = self._context.hypervisors[guest.id.uri]
        run = self._run
        live = LiveGuest(guest, hypervisor, run.ends, run.retry_for, run.context.gone)
        live.runs_again = guest.id in run.context.ran
        self._live[guest.id] = live
        self._plans[guest.id] = plan
        self._attempts[guest.id] += 1
        intended = guest.id not in self._unwritten
        log = TakeDownLog(self._run, live, plan, self._before.get(guest.id), intended=intended)
        self._unbegun[guest.id] = log
        work = TakeDown(log, live, plan, self._slots, self._order).carry_out
        group.create_task(self._take_down(work, log, guest.id), name=f"guest {guest.name}")

    async def _conclude_unbegun(self) -> None:
        """A task that is cancelled before it has begun never does; intents are written by then."""
        for guest, log in list(self._unbegun.items()):
            await self._take_down(partial(log.conclude, "the run was interrupted"), log, guest)

    async def _take_down(
        self, work: Callable[[], Awaitable[None]], log: TakeDownLog, guest: GuestId
    ) -> None:
        del self._unbegun[guest]
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a fault with one guest must not end the others
            self._context.tell(Trouble(f"internal error: {error!r}"))
            log.internal_error(error)
        finally:
            del self._live[guest]
            self._order.is_through(guest)
            if log.result is not None:
                self._results[guest] = log.result
                self._context.tell(GuestEnded(log.result))

    # Who turns up meanwhile

    def _on_event(self, event: GuestEvent) -> None:
        """An event, of a guest that is being taken down or of one that has just started."""
        if live := self._live.get(event.guest):
            live.on_event(event)
        elif event.kind is EventKind.STARTED and self._named is None and self._group:
            newcomer = self._add(event, self._group)
            try:
                self._group.create_task(newcomer)
            except RuntimeError:
                newcomer.close()  # the group is ending: the look after the round will find it

    async def _add(self, event: GuestEvent, group: asyncio.TaskGroup) -> None:
        if event.guest in self._adding or self._dealt_with(event.guest):
            return
        self._adding.add(event.guest)
        try:
            for plan in await self._plan(await self._up(event)):
                self._begin(plan, group)
        except Exception as error:  # noqa: BLE001 - it must not end the others
            self._context.tell(Trouble(f"internal error: {error!r}"))
        finally:
            self._adding.discard(event.guest)

    async def _up(self, event: GuestEvent) -> list[GuestFacts]:
        """The guest that has just started, if it is up by now."""
        hypervisor = self._context.hypervisors[event.guest.uri]
        live = LiveGuest(GuestFacts(event.guest, event.name, State.UNKNOWN), hypervisor)
        try:
            facts = await live.observe()
        except HypervisorError:
            return []  # the look at the end of the round will find it
        return [facts] if facts is not None and facts.up else []

    def _dealt_with(self, guest: GuestId) -> bool:
        if guest in self._live or self._attempts[guest] >= MAX_ATTEMPTS:
            return True
        result = self._results.get(guest)
        return result is not None and result.outcome in _FINAL

    async def _plan(self, guests: list[GuestFacts]) -> tuple[GuestPlan, ...]:
        """Plans for guests that turned up, with the room that others leave them."""
        if not guests:
            return ()
        added = await opening.add_guests(self._run, guests, self._taken)
        self._take_in(added)
        for guest_plan in added.plan.guests:
            self._context.tell(GuestAdded(guest_plan))
        return added.plan.guests

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
        inventory = await read_all(self._context.hypervisors)
        self._lost = {**self._forever_lost(), **inventory.lost_reasons}
        up = [guest for guest in inventory.guests if not guest.down]
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
