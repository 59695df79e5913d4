"""The way down of one guest: step after step until it is down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..decisions.outcome import was_saved
from ..decisions.sequence import FROZEN_BY_THEN
from ..decisions.timeline import latest_shutdown
from ..decisions.unremembered import why_left_up
from ..model.guest import State
from ..model.plan import GuestPlan, Step, StepPlan
from ..model.ports import ErrorKind, HypervisorError
from ..model.report import GettingReady, Progress, StepBegan, Trouble
from ..model.result import StepEnd, StepResult
from . import save_check, steps
from .failed_save import see_to_failed_save
from .live_guest import LiveGuest
from .make_ready import has_block_jobs, longest_wait, make_ready
from .order import RunOrder
from .save_check import SaveStamps
from .shutting_down import Place, ShutdownSlots
from .take_down_log import TakeDownLog

_DOING = {
    Step.SAVE: steps.save,
    Step.SHUTDOWN: steps.shutdown,
    Step.POWEROFF: steps.poweroff,
}
#: Seconds in which what a killed libvirtd had begun comes to an end: until then its helper writes
#: the image, and a new save fails ("O_DIRECT write needs empty seekable file", libvirt 11.3).
HELPERS_END, AT_ONCE = 2.0, 5.0
UNREACHED = "libvirt cannot be reached"
CROWDED = "parallel-shutdowns is given up: no time is left to wait for others to shut down"
#: Within so many seconds nobody is taken to have begun another job with a guest.
NOT_LONG = 2.0


class Slots(NamedTuple):
    """What the guests of a run share: how many are saved, asked about it, and shut down, at one
    time."""

    saves: asyncio.Semaphore
    polls: asyncio.Semaphore
    shutdowns: ShutdownSlots


class TakeDown:
    """Takes one guest down by its plan, whose intent is in the ledger already.

    In one piece, and in the order in which it happens: get ready, try step after step, see to
    the save.
    """

    def __init__(
        self, log: TakeDownLog, live: LiveGuest, plan: GuestPlan, slots: Slots, order: RunOrder
    ) -> None:
        self._log = log
        self._run = log.run
        self._context = log.run.context
        self._live = live
        live.on_lost = self._say_lost
        self._plan = plan
        self._guest = plan.guest
        self._policy = log.run.policy(plan.guest).shutdown
        self._slots, self._order = slots, order
        #: A job goes on that can neither be waited for nor aborted.
        self._blocked = False
        #: libvirt is not through with starting it: it can be neither saved nor asked.
        self._starting = False
        #: A save was begun, and what it left is not seen to.
        self._saving = False
        self._progress = steps.StepProgress(
            self._show, slots.polls, wanted=self._context.follows_progress
        )

    async def carry_out(self) -> None:
        """Try the steps, then record what became of the guest.

        When cancelled, the step in hand is ended first (a save is aborted).
        """
        if self._plan.outcome is not None:
            await self._log.nothing_to_do(self._plan.outcome, self._plan.reason)
            return
        try:
            await self._make_ready()
            await self._wait_for_turn()
            await self._try_steps()
        except asyncio.CancelledError:
            await _to_its_end(self._conclude_interrupted())
            raise
        await _to_its_end(self._log.conclude())

    async def _conclude_interrupted(self) -> None:
        await self._log.conclude("the run was interrupted")
        if self._saving:
            await self._see_to_failed_save()

    async def _make_ready(self) -> None:
        first, *later = self._plan.steps
        limit = self._allowance(replace(first, timeout=float("inf")), later)
        longest = min(limit, longest_wait(self._policy))
        self._context.tell(GettingReady(self._guest, longest))
        saves = self._plan.saves
        ready = await make_ready(self._live, self._policy, limit, self._progress, saves=saves)
        self._blocked = self._blocked or ready.blocked
        self._starting = ready.starting
        if ready.starting:
            self._log.never_ran()
        elif self._guest.starting:
            await self._log.started()
        if ready.remark:
            await self._run.remark(self._guest, ready.remark)

    async def _wait_for_turn(self) -> None:
        """Until those are down that come after it, as long as there is time for that."""
        begun = asyncio.get_running_loop().time()
        if awaited := self._order.awaited(self._guest.id):
            self._show(None, f"waiting for {awaited}")
        if left := await self._order.wait(self._guest.id):
            text = f"its order is given up: no time is left to wait for {left}"
            await self._run.remark(self._guest, text)
        await self._make_ready_anew(since=begun)

    async def _make_ready_anew(self, since: float) -> None:
        """Where it has waited, somebody may have begun another job with it."""
        waited = asyncio.get_running_loop().time() - since
        if waited > NOT_LONG and not self._blocked:
            await self._make_ready()

    async def _try_steps(self) -> None:
        for number, planned in enumerate(self._plan.steps):
            if await self._is_down():
                return
            later = self._plan.steps[number + 1 :]
            if self._live.given_up:
                await self._leave_out(planned.step, UNREACHED)
            elif self._starting and planned.step is not Step.POWEROFF:
                await self._leave_out(planned.step, "libvirt is still starting it")
            elif planned.step is Step.SAVE:
                await self._try_save(planned, later)
            elif planned.step is Step.SHUTDOWN:
                await self._try_shutdown(planned, later)
            else:
                await self._try(planned, later)

    async def _try_save(self, planned: StepPlan, later: Sequence[StepPlan]) -> None:
        """Wait for a slot as long as a save can still be done in the time that is left."""
        asked = asyncio.get_running_loop().time()
        try:
            unlimited = self._allowance(replace(planned, timeout=float("inf")), later)
            async with asyncio.timeout(max(0.0, unlimited - (planned.estimate or 0.0))):
                await self._slots.saves.acquire()
        except TimeoutError:
            await self._leave_out(planned.step, "no time left when it was its turn")
            return
        try:
            await self._make_ready_anew(since=asked)
            await self._try(planned, later)
        finally:
            self._slots.saves.release()

    async def _try_shutdown(self, planned: StepPlan, later: Sequence[StepPlan]) -> None:
        asked = asyncio.get_running_loop().time()
        with self._slots.shutdowns.place() as place:
            if place.is_granted or await self._waits(place, (planned, *later)):
                await self._make_ready_anew(since=asked)
                await self._try(planned, later)

    async def _waits(self, place: Place, steps: tuple[StepPlan, ...]) -> bool:
        """Until fewer guests are shutting down, or no time is left for that; whether it is to shut
        down then."""
        self._show(None, "waiting for others to shut down")
        kept = self._order.time_kept(self._guest.id)
        before = latest_shutdown(self._plan, steps, self._run.budget, kept)
        if not await place.wait(self._live, self._run.ends - before):
            return False
        if self._live.given_up:
            await self._leave_out(steps[0].step, UNREACHED)
            return False
        if not place.is_granted:
            self._slots.shutdowns.crowd_in(place)
            await self._run.remark(self._guest, CROWDED)
        return True

    async def _try(self, planned: StepPlan, later: Sequence[StepPlan]) -> None:
        limit = self._allowance(planned, later)
        if reason := self._run.budget.why_left_out(planned, limit):
            await self._leave_out(planned.step, reason)
        else:
            await self._carry_out(planned.step, limit)

    async def _leave_out(self, step: Step, reason: str) -> None:
        await self._log.step_ends(None, StepResult(step, StepEnd.LEFT_OUT, 0.0, reason))

    async def _carry_out(self, step: Step, limit: float) -> None:
        await self._context.checkpoint()
        row, goes_on = await self._log.step_begins(step)
        if not goes_on:
            sheds = self._run.sheds is not None
            await self._leave_out(step, why_left_up(self._run.kind, sheds=sheds))
            return
        self._saving = step is Step.SAVE
        self._context.tell(StepBegan(self._guest, step, limit))
        begun = asyncio.get_running_loop().time()
        async with self._passing_on(step):
            end, reason = await self._attempt(step, limit)
        seconds = asyncio.get_running_loop().time() - begun
        refused = end is StepEnd.FAILED and steps.is_refusal(reason)
        result = StepResult(step, end, seconds, reason, refused)
        await self._log.step_ends(row, result, await self._see_to_save(result))
        self._saving = False

    @contextlib.asynccontextmanager
    async def _passing_on(self, step: Step) -> AsyncIterator[None]:
        """A guest whose memory is being saved does nothing any more: it keeps nobody up."""
        passing = asyncio.create_task(self._pass_on()) if step is Step.SAVE else None
        try:
            yield
        finally:
            if passing:
                passing.cancel()

    async def _pass_on(self) -> None:
        self._live.frozen.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FROZEN_BY_THEN):
                await self._live.frozen.wait()
        self._order.is_through(self._guest.id)

    async def _attempt(self, step: Step, limit: float) -> tuple[StepEnd, str]:
        """One step, tried again when the connection broke under it and came back."""
        loop = asyncio.get_running_loop()
        end, broke = loop.time() + limit, False
        while True:
            begun = loop.time()
            left = steps.Limit(max(1.0, end - loop.time()), self._run.budget.ending)
            try:
                remark = await _DOING[step](self._live, self._policy, left, self._progress)
            except steps.StepFailed as failure:
                return await self._judge(step, failure.end, str(failure))
            except HypervisorError as error:
                at_once = broke and loop.time() < begun + AT_ONCE
                again = loop.time() < end and await self._is_worth_another(step, error, at_once)
                if not again or loop.time() >= end:
                    return await self._judge(step, StepEnd.FAILED, str(error))
                broke = error.kind is ErrorKind.UNREACHABLE
            else:
                return StepEnd.DONE, remark

    async def _judge(self, step: Step, end: StepEnd, reason: str) -> tuple[StepEnd, str]:
        """A step that failed by its own account may have worked: an abort can lose its race."""
        if not await self._is_down():
            return end, reason
        if step is Step.SAVE and not was_saved(self._live.facts, self._live.stopped):
            return StepEnd.FAILED, f"it went down without a save: {reason}"
        return StepEnd.DONE, f"it worked all the same: {reason}"

    async def _is_worth_another(self, step: Step, error: HypervisorError, at_once: bool) -> bool:
        """at_once: whether it failed as soon as there was a connection again."""
        if step is Step.SAVE and error.kind is ErrorKind.WRONG_STATE and await self._makes_way():
            return await self._is_still_up()
        if error.kind is not ErrorKind.UNREACHABLE:
            if not at_once or steps.is_refusal(str(error)):
                return False
            await asyncio.sleep(HELPERS_END)
        return await self._is_still_up()

    async def _makes_way(self) -> bool:
        """Whether a block job, begun since the guest was made ready, keeps it from being saved."""
        return not self._blocked and await has_block_jobs(self._live)

    async def _is_still_up(self) -> bool:
        """After the connection broke: wait for it, and for a save that went on without us."""
        try:
            if not await self._live.is_down():
                await self._make_ready()
            return not await self._live.is_down()
        except HypervisorError:
            return False

    async def _is_down(self) -> bool:
        """An unknown state is not down: the next step is tried."""
        try:
            return await self._live.is_down()
        except HypervisorError:
            return False

    async def _see_to_save(self, result: StepResult) -> SaveStamps | None:
        """What to remember of a save that worked; a wreck of one that did not is removed."""
        if result.step is not Step.SAVE:
            return None
        if result.end is StepEnd.DONE:
            storage, limit = self._context.storage, self._run.look_limit
            return await save_check.stamp(storage, self._live.facts, limit)
        await self._see_to_failed_save()
        return None

    async def _see_to_failed_save(self) -> None:
        ran = self._guest.state is State.RUNNING
        for remark in await see_to_failed_save(self._live, self._context.storage, ran=ran):
            await self._run.remark(self._guest, remark)

    def _allowance(self, planned: StepPlan, later: Sequence[StepPlan]) -> float:
        return self._run.budget.allowance(planned, later, self._run.left)

    def _say_lost(self, error: HypervisorError) -> None:
        self._context.tell(Trouble(f"{self._guest.name}: {error}; trying again"))

    def _show(self, fraction: float | None, note: str) -> None:
        self._context.tell(Progress(self._guest, fraction, note))


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Have it done also when the run is cancelled meanwhile: libvirt forgets how a guest ended."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
