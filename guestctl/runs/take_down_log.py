"""What the ledger is told of a guest that a run takes down: intent, steps, what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..decisions import attempts
from ..decisions.attribution import Stop, verdict
from ..decisions.outcome import by_whom, outcome_down, verdict_of_run, was_saved
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts
from ..model.plan import GuestPlan, Outcome, RunKind, Step
from ..model.ports import HypervisorError
from ..model.record import (
    GuestRecord,
    Wanted,
    put_back,
    seen_down,
    seen_up,
    shed,
    stopped,
    taking_down,
    turned_off,
    went_down,
)
from ..model.report import StepEnded
from ..model.result import GuestResult, StepEnd, StepResult
from ..model.stop import Heard, StoppedBy
from ..model.update import Update
from . import save_check
from .live_guest import LiveGuest
from .run import Run
from .save_check import SaveStamps
from .unremembered import leaves_up

#: Ends of a step that was really tried.
_TRIED = (StepEnd.FAILED, StepEnd.TIMED_OUT)


def record_intent(run: Run, ledger: Ledger, plan: GuestPlan) -> None:
    """What must be known of the guest before the first call that changes it."""
    guest = plan.guest
    want(run, ledger, guest)
    if run.kind is RunKind.PRESERVE and guest.persistent and not guest.starting:
        ledger.saves.resumed(guest.id)
    run.record_plan(ledger, plan)


def want(run: Run, ledger: Ledger, guest: GuestFacts) -> None:
    """What is wanted of a guest that the run takes down."""
    if run.kind is RunKind.SHUTDOWN:
        want_off(ledger, guest)
    elif guest.persistent and not _is_off_already(ledger, guest):
        up, now = partial(seen_up, boot=run.context.boot), ledger.now()
        ledger.note(guest, lambda it: taking_down(up(it), now, by_whom(run.kind, run.trigger)))
        if (why := run.sheds) is not None:
            ledger.change(guest.id, lambda it: shed(it, why, run.context.boot))


def _is_off_already(ledger: Ledger, guest: GuestFacts) -> bool:
    """Whether somebody shut it down before, and only its QEMU is left to be ended."""
    record = ledger.guest(guest.id) if guest.ending else None
    return record is not None and record.wanted is Wanted.OFF


def want_off(ledger: Ledger, guest: GuestFacts) -> None:
    """An operator shuts the guest down: it is wanted off."""
    ledger.note(guest, lambda record: turned_off(record, StoppedBy.OPERATOR, ledger.now()))


class BegunStep(NamedTuple):
    """row: of the ledger, to end it in.  goes_on: whether the step is carried out."""

    row: int | None
    goes_on: bool


class TakeDownLog:
    """Steps of the run so far, and all that is written of them.

    result is there once all is concluded, also where that was cut short.
    In one piece: what is concluded depends on all the steps before.
    """

    def __init__(
        self,
        run: Run,
        live: LiveGuest,
        plan: GuestPlan,
        before: GuestRecord | None,
        *,
        intended: bool,
    ) -> None:
        """before: what was known of the guest before the run's intent was recorded.

        intended: whether that was recorded.
        """
        self.result: GuestResult | None = None
        self.run = run
        self._context = run.context
        self._live = live
        self._guest = plan.guest
        self._before = before
        self._intended = intended
        self._steps: list[StepResult] = []
        self._stamped = False
        #: What is known of the image that a save of this run has made.
        self._image: str | None = None
        self._never_ran = False
        #: A request to go down is under way, or was cut off.
        self._asking = False
        self._begun = asyncio.get_running_loop().time()

    async def started(self) -> None:
        """Of a guest that was being started as the run began: it is up now."""
        await self._context.ledger(lambda ledger: ledger.saves.resumed(self._guest.id), None)

    def never_ran(self) -> None:
        """Its start does not end: what it was to be resumed from is as it was."""
        self._never_ran = True

    async def step_begins(self, step: Step) -> BegunStep:
        """Before its first call.

        One that cannot be recorded is not carried out where the host stays up: saves fill disks,
        and down the guest would seem to have been turned off by somebody.
        """

        def begin(ledger: Ledger) -> int:
            return ledger.runs.begin_step(self.run.number, self._guest, step)

        row = await self._context.ledger(begin, None)
        if row is None and await self._stays_up_unrecorded():
            row = await self._context.ledger(begin, None)  # it may have been locked by others
            goes_on = row is not None
        else:
            goes_on = True
        self._asking = step is not Step.SAVE and goes_on
        return BegunStep(row, goes_on)

    async def _stays_up_unrecorded(self) -> bool:
        is_known_off = self.run.kind is RunKind.SHUTDOWN and self._intended
        return not is_known_off and await leaves_up(self.run)

    async def step_ends(
        self, row: int | None, result: StepResult, stamps: SaveStamps | None = None
    ) -> None:
        """How it went; stamps: of a save that worked."""
        self._steps.append(result)
        self._context.tell(StepEnded(self._guest, result))

        def write(ledger: Ledger) -> None:
            self.run.record_step(ledger, row, self._guest.id, result)
            if stamps and row is not None:
                ledger.saves.stamp(self._guest.id, stamps.image, stamps.disks)
            elif stamps:  # its beginning could not be recorded
                ledger.saves.found(self._guest.id, stamps.image, stamps.disks)

        await self._context.ledger(write, None)
        self._stamped = self._stamped or stamps is not None
        self._image = stamps.image if stamps else self._image

    async def nothing_to_do(self, outcome: Outcome, reason: str) -> None:
        """The plan has no steps.  Who is to be off is wanted off, also when it is already."""
        is_up = outcome is Outcome.FAILED
        shut_down = self.run.kind is RunKind.SHUTDOWN and self._guest.persistent and not is_up
        result = self._result(outcome, reason)
        await self._end(result, lambda ledger: want_off(ledger, self._guest) if shut_down else None)

    def internal_error(self, error: Exception) -> None:
        """After a fault in guestctl itself."""
        self.result = self._result(Outcome.FAILED, f"internal error: {error!r}")

    async def conclude(self, interruption: str = "") -> None:
        """Look what became of the guest, and bring what is wanted of it in line with that."""
        try:
            facts = await self._live.observe()
        except HypervisorError as error:
            result = self._result(Outcome.UNKNOWN, f"its state could not be read: {error}")
            await self._end(result, self._put_back)
            return
        outcome, reason = outcome_down(facts, self._live.stopped, self._steps)
        result = self._result(outcome, interruption or reason)
        found, stale = await self._found_save(facts), await self._stale_image(facts)

        def record(ledger: Ledger) -> None:
            if stale is not None and self._never_ran:
                ledger.saves.not_resumed(self._guest.id)
            elif stale is not None:
                ledger.saves.used(self._guest.id, stale)
            if found is not None:
                ledger.saves.found(self._guest.id, found.image, found.disks)
            self._record_fate(ledger, facts, result)

        await self._end(result, record)

    async def _found_save(self, facts: GuestFacts | None) -> SaveStamps | None:
        """A save that ended in this run without being a step of it: its client had died, or its
        abort came too late."""
        done = any(s.step is Step.SAVE and s.end is StepEnd.DONE for s in self._steps)
        if facts is None or not (facts.down and facts.saved) or (done and self._stamped):
            return None
        if not was_saved(facts, self._live.stopped):
            return None
        return await save_check.stamp(self._context.storage, facts, self.run.look_limit)

    async def _stale_image(self, facts: GuestFacts | None) -> str | None:
        """The image of a guest that went down otherwise: it is older than its disks.

        libvirt removes what a guest was resumed from.  The file counts: libvirt may know nothing
        of it until it is started anew, and then resume.
        """
        if facts is None or not facts.down or was_saved(facts, self._live.stopped):
            return None
        storage, limit = self._context.storage, self.run.look_limit
        image = await save_check.image_text(storage, facts, limit)
        if image is not None and image == self._image:
            return None  # of this run: whoever began to start the guest since did not get far
        return image or ("" if facts.saved else None)

    def _put_back(self, ledger: Ledger) -> None:
        """A shutdown of which nobody knows what came leaves what is wanted as it was."""
        before = self._before
        if self.run.kind is RunKind.SHUTDOWN and before is not None:
            ledger.change(self._guest.id, lambda record: put_back(record, before))

    def _record_fate(self, ledger: Ledger, facts: GuestFacts | None, result: GuestResult) -> None:
        guest = self._guest.id
        if facts is None and (self._live.undefined or not self._guest.persistent):
            ledger.forget(guest)
        elif facts is None:
            pass  # nobody saw that it was undefined: libvirt does not list it, and may again
        elif result.outcome is Outcome.GONE:
            gone = verdict(Stop(self._live.stopped or facts.reason, Heard()))
            ledger.note(facts, lambda it: stopped(it, Wanted.OFF, gone, ledger.now()))
            ledger.apply(Update(guest, verdict=gone))
        elif facts.down:
            self._record_down(ledger, result)
        elif self.run.kind is RunKind.PRESERVE and self._stays_up(facts):
            ledger.note_up(facts, self._context.boot)

    def _record_down(self, ledger: Ledger, result: GuestResult) -> None:
        guest = self._guest.id
        if not self._intended and self._guest.persistent:
            want(self.run, ledger, self._guest)
        if self.run.kind is RunKind.PRESERVE:
            ledger.change(guest, seen_down)
        if self._guest.persistent:
            found = verdict_of_run(self.run.kind, self.run.trigger, result)
            ledger.change(guest, lambda record: went_down(record, found, ledger.now()))
            ledger.trail.add_verdict(guest, self.run.source, found)

    def _stays_up(self, facts: GuestFacts) -> bool:
        """Whether what becomes of it from now on is not our doing any more.

        A save of ours may still take it down, and it may still follow a request of ours.
        """
        saving = self._live.save_pending or facts.reason == "saving"
        asked = any(step.step is not Step.SAVE and step.end in _TRIED for step in self._steps)
        under_way = saving or asked or self._asking or self._was_begun_before()
        return facts.up and facts.persistent and not under_way

    def _was_begun_before(self) -> bool:
        """Whether an earlier run may still take it down, by what it had begun."""
        tried = self._before.attempts if self._before else ()
        now = self._context.clock().up
        return attempts.may_be_followed(tried) or attempts.may_be_under_way(tried, now)

    async def _end(self, result: GuestResult, record: Callable[[Ledger], object]) -> None:
        self.result = result

        def write(ledger: Ledger) -> None:
            self.run.record_end(ledger, result)
            record(ledger)

        await self._context.ledger(write, None)

    def _result(self, outcome: Outcome, reason: str) -> GuestResult:
        seconds = asyncio.get_running_loop().time() - self._begun
        name = self._live.facts.name
        return GuestResult(self._guest.id, name, outcome, tuple(self._steps), seconds, reason)
