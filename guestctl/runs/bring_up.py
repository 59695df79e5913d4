"""The way up of one guest: is its save true, then resume or start, then its clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..decisions.staleness import Comparison, Truth
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, State
from ..model.options import SaveDecision, Unverifiable
from ..model.plan import GuestPlan, Outcome, Step, StepPlan
from ..model.ports import ErrorKind, HypervisorError, within
from ..model.record import GuestRecord, Wanted
from ..model.result import GuestResult, StepEnd, StepResult
from ..model.save import Found, PastSave
from . import save_check as evidence
from .live_guest import LiveGuest
from .run import Run

#: Removing a save is quick, but behind a busy daemon.
CALL_LIMIT = 35.0
RETRY_PAUSE = 5.0
#: How long a resumed guest's agent has, in all, to take the host's time.
SYNC_TIME_LIMIT = 10.0
SYNC_TIME_PAUSE = 1.0
_NO_ANSWER = HypervisorError(ErrorKind.NO_ANSWER, "the guest agent did not answer")
_WAYS_OUT = "decide with `guestctl start GUEST` and --resume-anyway or --discard-save"


#: How libvirt and QEMU say that it is the image that they cannot use, now or later.
_REFUSALS = (
    "save image",
    "image magic",
    "image version",
    "load of migration failed",
    "error while loading state",
    "failed to read qemu header",
)


def is_refused_image(error: HypervisorError) -> bool:
    """Whether a resume failed because of the save itself, and not of what else was missing."""
    return any(note in str(error).lower() for note in _REFUSALS)


class BringUp:
    """Brings one guest up: `prepare`, then, where that allows it, `start`, then `finish`."""

    def __init__(self, run: Run, plan: GuestPlan, decision: SaveDecision | None) -> None:
        self._run = run
        self._context = run.context
        self._plan = plan
        self._guest = plan.guest
        self._decision = decision
        self._policy = run.policy(plan.guest).boot
        self._live = LiveGuest(
            plan.guest,
            self._context.hypervisors[plan.guest.id.uri],
            patience=self._policy.start_timeout,
        )
        self._begun = asyncio.get_running_loop().time()
        self._since = run.context.clock()
        self._step: StepResult | None = None
        #: Whether libvirt said that it is down, after the newest attempt to start it.
        self._read_down = False
        self._outcome: tuple[Outcome, str] | None = None

    async def prepare(self) -> bool:
        """Deal with the guest's save; False when it must not be started."""
        if self._decision is SaveDecision.DISCARD_SAVE:
            await self._discard_save()
            return self._outcome is None
        if not self._guest.saved:
            await self._look_for_save()
        if self._guest.saved and self._decision is None:
            await self._examine_save()
        return self._outcome is None

    async def _saves(self) -> tuple[PastSave, ...]:
        nothing: tuple[PastSave, ...] = ()
        return await self._context.ledger(lambda ledger: ledger.saves.of(self._guest.id), nothing)

    async def _look_for_save(self) -> None:
        """It was saved, and libvirt sees no save: that may be there a moment later."""
        patience = self._policy.storage_timeout
        found = await evidence.look_for_save(
            self._context.storage, self._guest, await self._saves(), patience
        )
        if found is Found.PRESENT:
            resume = replace(self._plan.steps[0], step=Step.RESUME)
            self._guest = replace(self._guest, saved=True)
            self._plan = replace(self._plan, guest=self._guest, steps=(resume,))
        elif found is Found.MISSING:
            await self._context.ledger(lambda ledger: ledger.saves.resumed(self._guest.id), None)
            await self._run.remark(
                self._guest, "its save is gone, used or removed by somebody: it boots anew"
            )
        elif found is Found.UNREADABLE:
            reason = "its save cannot be found, and its folder is not the one it was saved to"
            self._outcome = Outcome.FAILED, f"{reason} (not mounted?); it was waited for"

    async def _discard_save(self) -> None:
        if not self._guest.saved:
            return
        await self._run.remark(self._guest, "its save is discarded, as was asked for")
        try:
            await within(CALL_LIMIT, self._live.hypervisor.discard_save(self._live.uuid))
        except HypervisorError as error:
            self._outcome = Outcome.FAILED, f"its save could not be discarded: {error}"
        else:
            await self._context.ledger(lambda ledger: ledger.saves.discarded(self._guest.id), None)

    async def _examine_save(self) -> None:
        saves = await self._saves()
        found = await evidence.examine(
            self._context.storage,
            self._guest,
            saves,
            self._context.boot,
            self._policy.storage_timeout,
        )
        if found.truth is Truth.NOT_THERE:
            self._outcome = Outcome.FAILED, f"{found.reason}; it was waited for"
        elif found.truth is Truth.CHANGED or self._must_hold(found):
            await self._hold(f"its save is stale: {found.reason}")
        elif found.truth is Truth.UNVERIFIABLE:
            await self._run.remark(self._guest, f"resumed without a check: {found.reason}")

    def _must_hold(self, found: Comparison) -> bool:
        hold = self._policy.unverifiable is Unverifiable.HOLD
        return found.truth is Truth.UNVERIFIABLE and hold

    async def _hold(self, reason: str) -> None:
        """Never start it from now on, until a person decides."""
        text = f"{reason}; {_WAYS_OUT}"
        self._outcome = Outcome.HELD, text
        await self._context.ledger(
            lambda ledger: ledger.hold(self._guest, text, for_save=True), None
        )

    async def look_again(self) -> bool:
        """Its turn may come minutes after the plan: whether it is still to be started.

        Somebody may have started, saved, held or undefined it, or turned it off, meanwhile.
        """
        try:
            facts = await self._live.observe()
        except HypervisorError as error:
            self._outcome = Outcome.UNKNOWN, f"its state could not be read: {error}"
            return False
        known = await self._context.ledger(lambda ledger: self._look_up(ledger, facts), None)
        self._outcome = self._changed(facts, known)
        return self._outcome is None

    def _look_up(self, ledger: Ledger, facts: GuestFacts | None) -> GuestRecord | None:
        """What is known of it; one that somebody started is not owed a start any more."""
        if facts is not None and facts.up and not facts.starting:
            ledger.seen_up(facts, self._context.boot)
        return ledger.guest(self._guest.id)

    def _changed(
        self, facts: GuestFacts | None, known: GuestRecord | None
    ) -> tuple[Outcome, str] | None:
        if facts is None:
            return Outcome.GONE, "it was undefined meanwhile"
        if facts.up and not facts.starting:
            return Outcome.SKIPPED, "somebody started it meanwhile"
        if known and known.hold is not None and not (self._decision and known.held_for_save):
            return Outcome.HELD, known.hold
        if known and known.wanted is Wanted.OFF and (known.stopped_at or 0) > self._since:
            return Outcome.SKIPPED, "somebody started it meanwhile, and turned it off again"
        if facts.saved and self._plan.steps[0].step is Step.START and not self._decision:
            return Outcome.FAILED, "somebody saved it meanwhile; start it again to resume it"
        return None

    async def start(self) -> None:
        """Start the guest, again if need be; the intent is in the ledger before."""
        planned = self._plan.steps[0]
        resumes = planned.step is Step.RESUME
        image = await evidence.image_text(self._context.storage, self._guest) if resumes else None
        row = await self._context.ledger(lambda ledger: self._record(ledger, planned, image), None)
        self._context.report.step_begins(self._guest, planned.step, planned.timeout)
        begun = asyncio.get_running_loop().time()
        end, reason, error = await self._try_to_start(planned)
        seconds = asyncio.get_running_loop().time() - begun
        self._step = StepResult(planned.step, end, seconds, reason)
        await self._context.ledger(lambda ledger: self._record_end(ledger, row), None)
        self._context.report.step_ends(self._guest, self._step)
        if planned.step is Step.RESUME and error and is_refused_image(error):
            await self._hold(f"libvirt cannot resume it from its save: {error}")

    def _record(self, ledger: Ledger, planned: StepPlan, image: str | None) -> int:
        ledger.hands.take(self._run.number, self._guest.id)
        ledger.want(self._guest, Wanted.ON)
        self._run.record_plan(ledger, self._plan)
        if planned.step is Step.RESUME:
            ledger.saves.resuming(self._guest.id, self._context.boot, image)
        return ledger.begin_step(self._run.number, self._guest, planned.step)

    def _record_end(self, ledger: Ledger, row: int | None) -> None:
        assert self._step is not None
        self._run.record_step(ledger, row, self._guest.id, self._step)
        if self._step.end is StepEnd.DONE:
            ledger.seen_up(self._live.facts, self._context.boot)
            ledger.release_for_save(self._guest.id)
        elif self._step.step is Step.RESUME and self._read_down:
            ledger.saves.not_resumed(self._guest.id)

    async def _try_to_start(self, planned: StepPlan) -> tuple[StepEnd, str, HypervisorError | None]:
        failure: HypervisorError | None = None
        for attempt in range(self._policy.retries + 1):
            if attempt:
                await asyncio.sleep(RETRY_PAUSE)
            end = asyncio.get_running_loop().time() + planned.timeout
            failure = await self._try_once(planned)
            if await self._is_up(end):
                return StepEnd.DONE, f"up all the same: {failure}" if failure else "", None
            if failure is not None and is_refused_image(failure):
                break
            if failure is not None and failure.kind is ErrorKind.NO_ANSWER:
                # libvirt may still be at it: a second start would only be in its way.
                return StepEnd.TIMED_OUT, f"{failure}; it may still come up", failure
        return StepEnd.FAILED, f"{failure or 'it went down again at once'}", failure

    async def _try_once(self, planned: StepPlan) -> HypervisorError | None:
        try:
            await within(planned.timeout, self._live.hypervisor.start(self._live.uuid))
        except HypervisorError as error:
            return error
        return None

    async def _is_up(self, end: float) -> bool:
        """Whether it is up, once libvirt is not at it any more: then it shows it as paused."""
        self._read_down = False
        try:
            facts = await self._live.observe()
            if facts is not None and facts.starting:
                left = end - asyncio.get_running_loop().time()
                await self._live.wait_until(_is_not_starting, left)
                facts = await self._live.observe()
        except HypervisorError:
            return False
        self._read_down = facts is not None and facts.down
        return facts is not None and facts.up and not facts.starting

    async def finish(self) -> GuestResult:
        """Set the clock of a resumed guest, and say how it all ended."""
        outcome, reason = self._outcome or self._how_it_ended()
        if outcome is Outcome.RESUMED and self._clock_is_ours():
            await self._sync_time()
        seconds = asyncio.get_running_loop().time() - self._begun
        steps = (self._step,) if self._step else ()
        result = GuestResult(self._guest.id, self._guest.name, outcome, steps, seconds, reason)
        await self._context.ledger(lambda ledger: self._run.record_end(ledger, result), None)
        return result

    def _how_it_ended(self) -> tuple[Outcome, str]:
        assert self._step is not None
        if self._step.end is not StepEnd.DONE:
            return Outcome.FAILED, self._step.reason
        if self._step.step is Step.START:
            return Outcome.STARTED, self._step.reason
        if self._live.facts.reason == "booted":
            reason = "its save was incomplete and libvirt ignored it: it booted anew"
            return Outcome.STARTED, reason
        return Outcome.RESUMED, self._step.reason

    def _clock_is_ours(self) -> bool:
        return self._policy.sync_time and self._live.facts.state is State.RUNNING

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
            now = self._context.clock() / 1e9
            await self._live.hypervisor.set_time(self._live.uuid, now)
        except HypervisorError as error:
            return error
        return None


def _is_not_starting(facts: GuestFacts | None) -> bool:
    return facts is None or not facts.starting
