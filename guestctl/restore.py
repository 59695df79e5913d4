"""A run that brings guests back: resumed from their saves, or started."""

from __future__ import annotations

import asyncio

from . import run as runs
from .config import Config
from .ledger import Ledger
from .model import (
    Door,
    GuestFacts,
    GuestId,
    GuestPlan,
    GuestResult,
    Outcome,
    Plan,
    RunKind,
    RunResult,
    State,
    Step,
    StepEnd,
    StepPlan,
    StepResult,
    Wanted,
)
from .plan import describe, plan_missing, plan_restore
from .policy import resolve
from .ports import ErrorKind, HypervisorError, within
from .run import Run
from .subject import Subject
from .world import Seen, World

RETRY_PAUSE = 5.0
#: libvirt's reason for the paused state of a guest that it is just starting.
STARTING = "starting up"
#: How long a resumed guest's agent has, in all, to take the host's time.
SYNC_TIME_LIMIT = 10.0
SYNC_TIME_PAUSE = 1.0
_NO_ANSWER = HypervisorError(ErrorKind.NO_ANSWER, "the guest agent did not answer")


async def restore(
    world: World,
    config: Config,
    door: Door,
    seen: Seen,
    named: frozenset[GuestId] | None = None,
) -> RunResult:
    """Start or resume every guest that is wanted on, not up and not held; or just those named.

    Cancelling it lets starts under way finish in libvirt; the result says so.
    """
    known = await runs.take_notice(world, seen)
    plan = plan_restore(seen.guests, known, lambda guest: resolve(config, guest), world.boot, named)
    if named is None:
        mine = [guest for guest in known.values() if guest.id.uri in world.hypervisors]
        missing = plan_missing(seen.guests, mine, seen.lost)
        plan = Plan(plan.kind, plan.guests + missing)
    run = await runs.begin(world, config, RunKind.RESTORE, door)
    world.report.run_begins(plan, door)
    return await _Restore(run, seen).carry_out(plan)


class _Restore:
    def __init__(self, run: Run, seen: Seen) -> None:
        self._run = run
        self._world = run.world
        self._seen = seen
        self._slots = asyncio.Semaphore(run.config.boot.parallel)
        self._results: list[GuestResult] = []

    async def carry_out(self, plan: Plan) -> RunResult:
        interrupted = await runs.interruptible(self._start_all(plan))
        lost = self._seen.lost_reasons
        return await runs.end(self._run, self._results, lost, interrupted=interrupted)

    async def _start_all(self, plan: Plan) -> None:
        """One after another as slots get free, each `start-delay` after the one before."""
        async with asyncio.TaskGroup() as group:
            delay = 0.0
            for guest_plan in plan.guests:
                if guest_plan.verdict is not None:
                    self._done(await self._skip(guest_plan))
                    continue
                await asyncio.sleep(delay)
                await self._slots.acquire()
                group.create_task(self._one(guest_plan))
                delay = self._run.policy(guest_plan.guest).boot.start_delay

    async def _one(self, plan: GuestPlan) -> None:
        ascent = _Ascent(self._run, plan)
        try:
            await ascent.bring_up()
        finally:
            self._slots.release()
        self._done(await ascent.finish())

    async def _skip(self, plan: GuestPlan) -> GuestResult:
        assert plan.verdict is not None
        guest = plan.guest
        result = GuestResult(guest.id, guest.name, plan.verdict, reason=plan.reason)
        await self._world.scribe(lambda ledger: self._run.record_end(ledger, result), None)
        return result

    def _done(self, result: GuestResult) -> None:
        self._results.append(result)
        self._world.report.guest_ends(result)


def _is_not_starting(facts: GuestFacts | None) -> bool:
    return facts is None or facts.reason != STARTING


class _Ascent:
    """Brings one guest up."""

    def __init__(self, run: Run, plan: GuestPlan) -> None:
        self._run = run
        self._world = run.world
        self._plan = plan
        self._guest = plan.guest
        self._policy = run.policy(plan.guest).boot
        self._subject = Subject(plan.guest, self._world.hypervisors[plan.guest.id.uri])
        self._begun = asyncio.get_running_loop().time()
        self._step: StepResult | None = None

    async def bring_up(self) -> None:
        """Start the guest, again if need be; the intent is in the ledger before."""
        planned = self._plan.steps[0]
        row = await self._world.scribe(lambda ledger: self._record(ledger, planned.step), None)
        self._world.report.step_begins(self._guest, planned.step, planned.timeout)
        end, reason = await self._try_to_start(planned)
        seconds = asyncio.get_running_loop().time() - self._begun
        self._step = StepResult(planned.step, end, seconds, reason)
        await self._world.scribe(lambda ledger: self._record_end(ledger, row), None)
        self._world.report.step_ends(self._guest, self._step)

    def _record(self, ledger: Ledger, step: Step) -> int:
        ledger.want(self._guest, Wanted.ON)
        ledger.add_reason(
            self._guest.id, self._run.source, f"{self._run.door}: {describe(self._plan)}"
        )
        return ledger.begin_step(self._run.number, self._guest, step)

    def _record_end(self, ledger: Ledger, row: int | None) -> None:
        assert self._step is not None
        ledger.end_step(row, self._guest.id, self._step)
        reason = f": {self._step.reason}" if self._step.reason else ""
        ledger.add_reason(
            self._guest.id, self._run.source, f"{self._step.step} {self._step.end}{reason}"
        )
        if self._step.end is StepEnd.DONE:
            ledger.seen_up(self._subject.facts, self._world.boot)

    async def _try_to_start(self, planned: StepPlan) -> tuple[StepEnd, str]:
        for attempt in range(self._policy.retries + 1):
            if attempt:
                await asyncio.sleep(RETRY_PAUSE)
            end = asyncio.get_running_loop().time() + planned.timeout
            try:
                await within(planned.timeout, self._subject.hypervisor.start(self._subject.uuid))
                failure = None
            except HypervisorError as error:
                failure = error
            if await self._is_up(end):
                return StepEnd.DONE, f"up all the same: {failure}" if failure else ""
            if failure is not None and failure.kind is ErrorKind.NO_ANSWER:
                # libvirt may still be at it: a second start would only be in its way.
                return StepEnd.TIMED_OUT, f"{failure}; it may still come up"
        return StepEnd.FAILED, f"{failure or 'it went down again at once'}"

    async def _is_up(self, end: float) -> bool:
        """Whether it is up, once libvirt is not at it any more: then it shows it as paused."""
        try:
            facts = await self._subject.observe()
            if facts is not None and facts.reason == STARTING:
                left = end - asyncio.get_running_loop().time()
                await self._subject.wait_until(_is_not_starting, left)
                facts = await self._subject.observe()
        except HypervisorError:
            return False
        return facts is not None and facts.up and facts.reason != STARTING

    async def finish(self) -> GuestResult:
        """Set the clock of a resumed guest, and say how it all ended."""
        assert self._step is not None
        outcome, reason = Outcome.FAILED, self._step.reason
        if self._step.end is StepEnd.DONE:
            resumed = self._step.step is Step.RESUME and self._subject.facts.reason != "booted"
            outcome = Outcome.RESUMED if resumed else Outcome.STARTED
            if self._step.step is Step.RESUME and not resumed:
                reason = "its save was incomplete and libvirt ignored it: it booted anew"
            if resumed and self._policy.sync_time and self._subject.facts.state is State.RUNNING:
                await self._sync_time()
        seconds = asyncio.get_running_loop().time() - self._begun
        result = GuestResult(
            self._guest.id, self._guest.name, outcome, (self._step,), seconds, reason
        )
        await self._world.scribe(lambda ledger: self._run.record_end(ledger, result), None)
        return result

    async def _sync_time(self) -> None:
        """An agent needs a moment after a resume; a guest without one is left as it is."""
        self._clock_error: HypervisorError | None = _NO_ANSWER
        try:
            async with asyncio.timeout(SYNC_TIME_LIMIT):
                await self._set_time_until_answered()
        except TimeoutError:
            pass
        if self._clock_error is None:
            await self._run.remark(self._guest, "its clock was set")
        elif self._clock_error.kind is not ErrorKind.UNSUPPORTED:
            await self._run.remark(self._guest, f"its clock was not set: {self._clock_error}")

    async def _set_time_until_answered(self) -> None:
        while True:
            self._clock_error = await self._set_time()
            if self._clock_error is None or self._clock_error.kind is not ErrorKind.NO_ANSWER:
                return
            await asyncio.sleep(SYNC_TIME_PAUSE)

    async def _set_time(self) -> HypervisorError | None:
        try:
            now = self._world.clock() / 1e9
            await self._subject.hypervisor.set_time(self._subject.uuid, now)
        except HypervisorError as error:
            return error
        return None
