"""The way up of one guest: is its save true, then resume or start, then its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial

from ..decisions.plan import NOT_LISTED
from ..decisions.wanted import NOT_FOR_THIS_HOST
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, State
from ..model.options import SaveDecision
from ..model.plan import GuestPlan, Outcome, Step, StepPlan
from ..model.ports import HypervisorError
from ..model.record import (
    GuestRecord,
    Wanted,
    asked_for,
    held,
    not_ready,
    ready,
    released_for_save,
)
from ..model.report import Progress, StepBegan, StepEnded
from ..model.result import GuestResult, StepEnd, StepResult
from ..model.units import show_seconds
from . import save_check
from .guest_clock import set_clock
from .live_guest import LiveGuest
from .old_request import obeys
from .order import RunOrder
from .readiness import ReadyChecks
from .resumed_paused import see_to_pause
from .run import Run
from .saved_guest import End, SavedGuest, ways_to_redefine
from .slots import Slot
from .starting import Start, start

#: Between a start that failed and the next, in seconds.
RETRY_PAUSE = 5.0

#: Waits for a turn, and for a slot in it.
Turn = Callable[[], AbstractAsyncContextManager[Slot]]


class BringUp:
    """Brings one guest up by its plan."""

    def __init__(
        self,
        run: Run,
        plan: GuestPlan,
        decision: SaveDecision | None,
        order: RunOrder,
        checks: ReadyChecks,
    ) -> None:
        self._run = run
        self._context = run.context
        self._guest = plan.guest
        self._decision = decision
        self._order, self._checks = order, checks
        self._policy = run.policy(plan.guest).boot
        hypervisor = run.context.hypervisors[plan.guest.id.uri]
        self._live = LiveGuest(plan.guest, hypervisor, retry_for=self._policy.start_timeout)
        self._saved = SavedGuest(run, self._live, plan, self._policy)
        self._begun = asyncio.get_running_loop().time()
        self._since = run.context.clock()
        self._step: StepResult | None = None
        #: The ledger's number of it.
        self._row: int | None = None
        #: Why it was held until a person decided, and paused when it was saved.
        self._was_held, self._was_paused = "", ""
        #: To shut down, before it was saved.
        self._was_asked = False
        #: As soon as it was up.
        self._went_down = False

    async def carry_out(self, turn: Turn) -> GuestResult:
        """Deal with its save, and start it in its turn; how that ended, recorded."""
        end = await self._saved.prepare(self._decision) or await self._wait_for_others()
        if end is None:
            end = await self._take_turn(turn)
        if end.outcome is Outcome.RESUMED:
            await see_to_pause(self._run, self._live, self._was_paused)
            await self._set_clock()
        if self._was_asked:
            end = await self._see_to_old_request(end, turn)
        if self.is_up:
            end = await self._be_ready(end)
        return await self._finish(end)

    @property
    def is_up(self) -> bool:
        """Whether it was up when it was seen last, whoever started it."""
        return self._live.facts.started

    async def _take_turn(self, turn: Turn) -> End:
        async with turn() as slot:
            return await self._why_not_any_more() or await self._start(slot)

    async def _see_to_old_request(self, end: End, turn: Turn) -> End:
        """It was not turned off by that: the host went down."""
        is_resumed = end.outcome is Outcome.RESUMED
        if not (self._went_down or (is_resumed and await obeys(self._live))):
            return end
        text = "it shut down as it was asked to before it was saved: it is started anew"
        await self._run.remark(self._guest, text)
        start = StepPlan(Step.START, self._policy.start_timeout)
        self._saved.plan = replace(self._saved.plan, guest=self._live.facts, steps=(start,))
        return await self._take_turn(turn)

    async def _be_ready(self, end: End) -> End:
        """Wait until it is ready: one that is not in time is up but unready, as is remembered."""
        guest, policy = self._guest, self._run.policy(self._guest).order
        if not policy.ready:
            return end
        begun = asyncio.get_running_loop().time()
        rules, limit = policy.ready, policy.ready_timeout
        why = await self._checks.wait(self._live, rules, limit, self._tell_wait)
        took = show_seconds(asyncio.get_running_loop().time() - begun)
        if not self.is_up:
            return End(Outcome.FAILED, f"not ready after {took}: {why}")
        held = ", ".join(map(str, rules))
        text = f"not ready after {took}: {why}" if why else f"ready after {took}: {held}"

        def note(ledger: Ledger) -> None:
            ledger.trail.add(guest.id, self._run.source, text)
            ledger.change(guest.id, lambda it: not_ready(it, why) if why else ready(it))
            if not why:
                ledger.runs.ready(self._row)

        await self._context.ledger(note, None)
        return end._replace(unready=why)

    def _tell_wait(self, why: str) -> None:
        self._context.tell(Progress(self._guest, None, f"waiting until it is ready: {why}"))

    async def _wait_for_others(self) -> End | None:
        """Until those are up that it comes after; why it is not started without one of them."""
        guest, order = self._guest.id, self._order
        if awaited := order.awaited(guest):
            self._context.tell(Progress(self._guest, None, f"waiting for {awaited}"))
        await order.wait(guest)
        if missing := order.missing(guest):
            return End(Outcome.SKIPPED, f"it requires {missing}", awaits=True)
        if (absent := order.absent(guest)) and not self._run.is_quiet:
            await self._run.remark(self._guest, f"goes on without {absent}")
        return None

    async def _why_not_any_more(self) -> End | None:
        """Its turn may come minutes after the plan: whether it is still to be started.

        Somebody may have started, saved, held or undefined it, or turned it off, meanwhile.
        """
        try:
            facts = await self._live.observe()
        except HypervisorError as error:
            return End(Outcome.UNKNOWN, f"its state could not be read: {error}")
        if facts is not None:
            facts = await save_check.with_image(self._context.storage, facts)
        record = await self._context.ledger(lambda ledger: self._look_up(ledger, facts), None)
        return self._changed(facts, record)

    def _look_up(self, ledger: Ledger, facts: GuestFacts | None) -> GuestRecord | None:
        """What is known of it; one that somebody started is not owed a start any more."""
        if facts is not None and facts.started:
            ledger.note_up(facts, self._context.boot)
        return ledger.guest(self._guest.id)

    def _changed(self, facts: GuestFacts | None, record: GuestRecord | None) -> End | None:
        if facts is None:
            return End(Outcome.GONE, NOT_LISTED)  # an undefine that is heard of ends what is wanted
        if facts.started:
            return End(Outcome.SKIPPED, "somebody started it meanwhile")
        if record and record.hold is not None and not (self._decision and record.held_for_save):
            return End(Outcome.HELD, record.hold)
        if record and record.wanted is Wanted.OFF and self._is_newer(record):
            return End(Outcome.SKIPPED, "somebody started it meanwhile, and turned it off again")
        if facts.saved and self._planned.step is Step.START and not self._decision:
            reason = "somebody saved it meanwhile; start it again to resume it"
            return End(Outcome.FAILED, reason)
        return None

    def _is_newer(self, record: GuestRecord) -> bool:
        """Whether its stop came after its turn was planned."""
        before = self._since.seconds_since(record.stopped_boot, record.stopped_up)
        return before is not None and before < 0

    @property
    def _planned(self) -> StepPlan:
        return self._saved.plan.steps[0]

    async def _start(self, slot: Slot) -> End:
        """Start the guest, again if need be; the intent is in the ledger before."""
        guest, planned = self._saved.plan.guest, self._planned
        resumes = planned.step is Step.RESUME
        image = await save_check.image_text(self._context.storage, guest) if resumes else None
        self._row = await self._context.ledger(lambda ledger: self._record(ledger, image), None)
        self._context.tell(StepBegan(guest, planned.step, planned.timeout))
        begun = asyncio.get_running_loop().time()
        retries = 0 if self._run.is_quiet else self._policy.retries
        anew = self._decision is SaveDecision.DISCARD_SAVE
        started = await start(
            self._live,
            planned,
            retries,
            partial(self._pause, slot),
            boot_anew=anew,
            bypass_cache=self._policy.start_bypass_cache,
        )
        self._went_down = started.went_down
        seconds = asyncio.get_running_loop().time() - begun
        step = StepResult(planned.step, started.end, seconds, started.reason)
        self._step = step
        await self._context.ledger(lambda ledger: self._record_end(ledger, step, started), None)
        self._context.tell(StepEnded(guest, step))
        if resumes and (reason := _why_held(started)):
            return await self._saved.hold(f"{reason}: {started.error}")
        if step.end is not StepEnd.DONE and started.refused_host:
            return await self._as_defined(started.error)
        return self._how_it_ended(step)

    async def _pause(self, slot: Slot) -> bool:
        """Before it is tried again; others are started meanwhile, which may take long."""
        await slot.pause(RETRY_PAUSE)
        end = await self._why_not_any_more()
        return end is None or end.outcome is Outcome.UNKNOWN or self.is_up

    async def _as_defined(self, error: HypervisorError | None) -> End:
        """No time mends it: at a boot it is held until a person has."""
        reason = f"{NOT_FOR_THIS_HOST}: {error}"
        if not self._run.trigger.keeps_at_it:
            return End(Outcome.FAILED, reason)
        text, guest = f"{reason}; {ways_to_redefine(self._guest.name)}", self._guest
        await self._context.ledger(
            lambda ledger: ledger.note(guest, lambda it: held(it, text)), None
        )
        return End(Outcome.HELD, text)

    def _record(self, ledger: Ledger, image: str | None) -> int:
        plan, planned = self._saved.plan, self._planned
        before = ledger.guest(self._guest.id)
        if before and before.held_for_save and self._decision:
            self._was_held = before.hold or ""
            ledger.change(self._guest.id, released_for_save)  # libvirt's hook would refuse it
        ledger.note(plan.guest, lambda it: asked_for(it, self._context.boot))
        self._run.record_plan(ledger, plan)
        if planned.step is Step.RESUME:
            self._was_paused = ledger.saves.paused(self._guest.id)
            # A mark of `autostart --once`, as libvirt's auto-shutdown leaves it, asks for it anew.
            owed = before is not None and before.wanted is Wanted.ON
            self._was_asked = owed and ledger.saves.asked_before(self._guest.id)
            ledger.saves.resuming(self._guest.id, self._context.boot, image)
        return ledger.runs.begin_step(self._run.number, plan.guest, planned.step)

    def _record_end(self, ledger: Ledger, step: StepResult, started: Start) -> None:
        self._run.record_step(ledger, self._row, self._guest.id, step)
        if step.end is StepEnd.DONE:
            ledger.note_up(self._live.facts, self._context.boot)
            ledger.change(self._guest.id, released_for_save)
        elif started.is_down:
            self._not_started(ledger, step.step)

    def _not_started(self, ledger: Ledger, step: Step) -> None:
        """Its save is as it was, and so is what spoke against that."""
        if step is not Step.RESUME:
            return
        ledger.saves.not_resumed(self._guest.id)
        if reason := self._was_held:
            ledger.change(self._guest.id, lambda it: held(it, reason, for_save=True))

    def _how_it_ended(self, step: StepResult) -> End:
        if step.end is not StepEnd.DONE:
            return End(Outcome.FAILED, step.reason)
        if step.step is Step.START:
            return End(Outcome.STARTED, step.reason)
        if self._live.facts.reason == "booted":
            reason = "its save was incomplete and libvirt ignored it: it booted anew"
            return End(Outcome.STARTED, reason)
        return End(Outcome.RESUMED, step.reason)

    async def _set_clock(self) -> None:
        if not self._policy.sync_time or self._live.facts.state is not State.RUNNING:
            return
        if remark := await set_clock(self._live, self._context.clock):
            await self._run.remark(self._guest, remark)

    async def _finish(self, end: End) -> GuestResult:
        seconds = asyncio.get_running_loop().time() - self._begun
        steps = (self._step,) if self._step else ()
        guest = self._guest
        result = GuestResult(
            guest.id,
            guest.name,
            end.outcome,
            steps,
            seconds,
            end.reason,
            end.awaits,
            end.unready,
        )
        await self._context.ledger(lambda ledger: self._run.record_end(ledger, result), None)
        return result


def _why_held(started: Start) -> str:
    """Why its save would be refused again and again, until somebody decides; empty if not."""
    if started.refused_image:
        return "libvirt cannot resume it from its save"
    if started.refused_host:
        return "this host cannot resume its save any more"
    return ""
