"""The ladder of one guest: step after step until it is down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..decisions.attribution import verdict
from ..decisions.outcome import outcome_down, verdict_of_run, was_saved
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts
from ..model.plan import GuestPlan, Outcome, RunKind, Step, StepPlan
from ..model.ports import ErrorKind, HypervisorError, within
from ..model.record import GuestRecord, Wanted
from ..model.result import GuestResult, StepEnd, StepResult
from ..model.stop import Heard, StoppedBy
from . import save_check as evidence
from . import steps
from .live_guest import LiveGuest
from .run import Run
from .save_check import SaveStamps

_DOING = {
    Step.SAVE: steps.save,
    Step.SHUTDOWN: steps.shutdown,
    Step.POWEROFF: steps.poweroff,
}


#: Ends of a step that was really tried.
_TRIED = (StepEnd.FAILED, StepEnd.TIMED_OUT)


class Slots(NamedTuple):
    """What the guests of a run share: how many are saved, and asked about it, at one time."""

    saves: asyncio.Semaphore
    polls: asyncio.Semaphore


class TakeDown:
    """Takes one guest down by its plan.

    result is there once `carry_out` has ended, also when it was cancelled.
    """

    def __init__(self, run: Run, live: LiveGuest, plan: GuestPlan, slots: Slots) -> None:
        self.result: GuestResult | None = None
        self._run = run
        self._context = run.context
        self._live = live
        live.on_lost = self._say_lost
        self._plan = plan
        self._guest = plan.guest
        self._policy = run.policy(plan.guest).shutdown
        self._slots = slots
        self._progress = steps.Progress(
            self._show, slots.polls, wanted=run.context.report.follows_progress
        )
        self._steps: list[StepResult] = []
        self._known: GuestRecord | None = None
        self._stamped = False
        #: A request to go down is under way, or was cut off.
        self._asking = False
        self._begun = asyncio.get_running_loop().time()

    async def carry_out(self) -> None:
        """Try the steps, then record what became of the guest.

        When cancelled, the step in hand is ended first (a save is aborted).
        """
        if self._plan.outcome is not None:
            self.result = self._result(self._plan.outcome, self._plan.reason)
            await self._record_end(self._want_off)
            return
        try:
            await self._prepare()
            await self._try_steps()
        except asyncio.CancelledError:
            await _to_its_end(self._conclude("the run was interrupted"))
            raise
        await _to_its_end(self._conclude())

    def give_up(self, error: Exception) -> None:
        """The guest's result after a fault in guestctl itself."""
        self.result = self._result(Outcome.FAILED, f"internal error: {error!r}")

    def _want_off(self, ledger: Ledger) -> None:
        """A guest that an operator shuts down is wanted off, also when it is down already."""
        if self._run.kind is RunKind.SHUTDOWN and self._guest.persistent:
            ledger.want(self._guest, Wanted.OFF, StoppedBy.OPERATOR)

    async def _prepare(self) -> None:
        await self._context.ledger(self._record_intent, None)
        await self._make_ready()

    async def _make_ready(self) -> None:
        first, *later = self._plan.steps
        limit = self._run.allowance(replace(first, timeout=float("inf")), later)
        self._context.report.gets_ready(self._guest, min(limit, steps.longest_wait(self._policy)))
        remark = await steps.make_ready(self._live, self._policy, limit, self._progress)
        if remark:
            await self._run.remark(self._guest, remark)

    def _record_intent(self, ledger: Ledger) -> None:
        """What must be known of the guest before the first call that changes it."""
        self._known = ledger.guest(self._guest.id)
        ledger.hands.take(self._run.number, self._guest.id)
        if self._run.kind is RunKind.SHUTDOWN:
            ledger.want(self._guest, Wanted.OFF, StoppedBy.OPERATOR)
        elif self._guest.persistent:
            ledger.seen_up(self._guest, self._context.boot)
            ledger.taking_down(self._guest)
        self._run.record_plan(ledger, self._plan)

    async def _try_steps(self) -> None:
        for number, planned in enumerate(self._plan.steps):
            if await self._is_down():
                return
            if self._live.given_up:
                await self._leave_out(planned, "libvirt cannot be reached")
                continue
            later = self._plan.steps[number + 1 :]
            if planned.step is Step.SAVE:
                await self._try_save(planned, later)
            else:
                await self._try(planned, later)

    async def _try_save(self, planned: StepPlan, later: Sequence[StepPlan]) -> None:
        """Wait for a slot as long as a save can still be done in the time that is left."""
        try:
            unlimited = self._run.allowance(replace(planned, timeout=float("inf")), later)
            async with asyncio.timeout(max(0.0, unlimited - (planned.estimate or 0.0))):
                await self._slots.saves.acquire()
        except TimeoutError:
            await self._leave_out(planned, "no time left when it was its turn")
            return
        try:
            await self._try(planned, later)
        finally:
            self._slots.saves.release()

    async def _is_down(self) -> bool:
        """An unknown state is not down: the next step is tried."""
        try:
            return await self._live.is_down()
        except HypervisorError:
            return False

    async def _try(self, planned: StepPlan, later: Sequence[StepPlan]) -> None:
        limit = self._run.allowance(planned, later)
        if limit <= 0:
            await self._leave_out(planned, "no time left before the run's deadline")
        elif planned.estimate is not None and limit < min(planned.estimate, planned.timeout):
            reason = f"it takes about {planned.estimate:.0f}s, and {limit:.0f}s are left for it"
            await self._leave_out(planned, reason)
        else:
            await self._carry_out(planned, limit)

    async def _leave_out(self, planned: StepPlan, reason: str) -> None:
        await self._end_step(None, StepResult(planned.step, StepEnd.LEFT_OUT, 0.0, reason), None)

    async def _carry_out(self, planned: StepPlan, limit: float) -> None:
        await self._context.checkpoint()
        row = await self._context.ledger(
            lambda ledger: ledger.begin_step(self._run.number, self._guest, planned.step), None
        )
        self._context.report.step_begins(self._guest, planned.step, limit)
        begun = asyncio.get_running_loop().time()
        self._asking = planned.step is not Step.SAVE
        end, reason = await self._attempt(planned.step, limit)
        seconds = asyncio.get_running_loop().time() - begun
        refused = end is StepEnd.FAILED and steps.is_refusal(reason)
        result = StepResult(planned.step, end, seconds, reason, refused)
        await self._end_step(row, result, await self._look_at_save(result))

    async def _look_at_save(self, result: StepResult) -> SaveStamps | None:
        """What to remember of a save that worked; a wreck of one that did not is removed."""
        if result.step is not Step.SAVE:
            return None
        if result.end is StepEnd.DONE:
            return await evidence.take(self._context.storage, self._live.facts)
        if self._live.facts.up and self._live.facts.saved:
            await self._remove_wreck()
        return None

    async def _remove_wreck(self) -> None:
        """What is left of a save that failed, unless libvirt is still writing it.

        Nothing of the guest is in it, since it is up; seen after aborts on libvirt 11.3.
        """
        hypervisor, uuid = self._live.hypervisor, self._live.uuid
        with contextlib.suppress(HypervisorError):
            if await within(steps.CALL_LIMIT, hypervisor.job(uuid)) is None:
                await within(steps.CALL_LIMIT, hypervisor.discard_save(uuid))
                await self._run.remark(self._guest, "what its failed save left was removed")

    async def _attempt(self, step: Step, limit: float) -> tuple[StepEnd, str]:
        """One step, tried again when the connection broke under it and came back."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while True:
            left = steps.Limit(max(1.0, end - loop.time()), self._run.ending)
            try:
                remark = await _DOING[step](self._live, self._policy, left, self._progress)
            except steps.StepFailed as failure:
                return await self._judge(step, failure.end, str(failure))
            except HypervisorError as error:
                broken = error.kind is ErrorKind.UNREACHABLE and loop.time() < end
                if not (broken and await self._is_still_up() and loop.time() < end):
                    return await self._judge(step, StepEnd.FAILED, str(error))
            else:
                return StepEnd.DONE, remark

    def _say_lost(self, error: HypervisorError) -> None:
        self._context.report.trouble(f"{self._guest.name}: {error}; trying again")

    async def _is_still_up(self) -> bool:
        """After the connection broke: wait for it, and for a save that went on without us."""
        try:
            if not await self._live.is_down():
                await self._make_ready()
            return not await self._live.is_down()
        except HypervisorError:
            return False

    async def _judge(self, step: Step, end: StepEnd, reason: str) -> tuple[StepEnd, str]:
        """A step that failed by its own account may have worked: an abort can lose its race."""
        if not await self._is_down():
            return end, reason
        if step is Step.SAVE and not was_saved(self._live.facts, self._live.stopped):
            return StepEnd.FAILED, f"it went down without a save: {reason}"
        return StepEnd.DONE, f"it worked all the same: {reason}"

    async def _end_step(self, row: int | None, result: StepResult, seen: SaveStamps | None) -> None:
        self._steps.append(result)
        self._context.report.step_ends(self._guest, result)

        def write(ledger: Ledger) -> None:
            self._run.record_step(ledger, row, self._guest.id, result)
            if seen and row is not None:
                ledger.saves.stamp(self._guest.id, seen.image, seen.stamps)
            elif seen:  # its beginning could not be recorded
                ledger.saves.found(self._guest.id, seen.image, seen.stamps)

        await self._context.ledger(write, None)
        self._stamped = self._stamped or seen is not None

    async def _conclude(self, interruption: str = "") -> None:
        try:
            facts = await self._live.observe()
        except HypervisorError as error:
            self.result = self._result(Outcome.UNKNOWN, f"its state could not be read: {error}")
            await self._record_end(self._put_back)
        else:
            outcome, reason = outcome_down(facts, self._live.stopped, self._steps)
            self.result = self._result(outcome, interruption or reason)
            found = await self._found_save(facts)
            stale = await self._stale_image(facts)
            await self._record_end(lambda ledger: self._settle(ledger, facts, found, stale))

    async def _stale_image(self, facts: GuestFacts | None) -> str | None:
        """The image of a guest that went down otherwise: it is older than its disks."""
        if facts is None or not (facts.down and facts.saved):
            return None
        if was_saved(facts, self._live.stopped):
            return None
        return await evidence.image_text(self._context.storage, facts) or ""

    async def _found_save(self, facts: GuestFacts | None) -> SaveStamps | None:
        """A save that ended in this run without being a step of it: its client had died, or its
        abort came too late."""
        done = any(s.step is Step.SAVE and s.end is StepEnd.DONE for s in self._steps)
        if facts is None or not (facts.down and facts.saved) or (done and self._stamped):
            return None
        if not was_saved(facts, self._live.stopped):
            return None
        return await evidence.take(self._context.storage, facts)

    def _put_back(self, ledger: Ledger) -> None:
        """A shutdown of which nobody knows what came leaves what is wanted as it was."""
        if self._run.kind is RunKind.SHUTDOWN and self._known is not None:
            ledger.put_back(self._known)

    def _settle(
        self,
        ledger: Ledger,
        facts: GuestFacts | None,
        found: SaveStamps | None,
        stale: str | None,
    ) -> None:
        """Bring what is wanted in line with what became of the guest."""
        assert self.result is not None
        if stale is not None:
            ledger.saves.used(self._guest.id, stale)
        if found is not None:
            ledger.saves.found(self._guest.id, found.image, found.stamps)
        if facts is None:
            ledger.forget(self._guest.id)
        elif self.result.outcome is Outcome.GONE:
            reason = self._live.stopped or facts.reason
            ledger.judge(facts, Wanted.OFF, verdict(reason, Heard()))
        elif facts.down:
            self._settle_down(ledger)
        elif self._run.kind is RunKind.PRESERVE and self._stays_up(facts):
            ledger.seen_up(facts, self._context.boot)

    def _settle_down(self, ledger: Ledger) -> None:
        assert self.result is not None
        if self._run.kind is RunKind.PRESERVE:
            ledger.seen_down(self._guest.id)
        if self._guest.persistent:
            found = verdict_of_run(self._run.kind, self.result)
            ledger.taken(self._guest.id, self._run.source, found)

    def _stays_up(self, facts: GuestFacts) -> bool:
        """Whether what becomes of it from now on is not our doing any more.

        A save of ours may still take it down, and it may still follow a request of ours.
        """
        saving = self._live.save_pending or facts.reason == "saving"
        asked = any(step.step is not Step.SAVE and step.end in _TRIED for step in self._steps)
        return facts.up and facts.persistent and not (saving or asked or self._asking)

    async def _record_end(self, settle: Callable[[Ledger], None] | None) -> None:
        result = self.result
        assert result is not None

        def write(ledger: Ledger) -> None:
            self._run.record_end(ledger, result)
            if settle:
                settle(ledger)

        await self._context.ledger(write, None)

    def _result(self, outcome: Outcome, reason: str) -> GuestResult:
        seconds = asyncio.get_running_loop().time() - self._begun
        name = self._live.facts.name
        return GuestResult(self._guest.id, name, outcome, tuple(self._steps), seconds, reason)

    def _show(self, fraction: float | None, note: str) -> None:
        self._context.report.progress(self._guest, fraction, note)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Have it done also when the run is cancelled meanwhile: libvirt forgets how a guest ended."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
