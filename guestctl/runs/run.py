"""One preserve, shutdown or restore under way, and what of it goes into the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from ..config.config import Config
from ..decisions.budget import Budget
from ..decisions.outcome import told_by_steps
from ..decisions.policy import Policy, resolve
from ..ledger.ledger import CopyNeed, Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.history import Note
from ..model.plan import GuestPlan, Plan, RunKind, describe, ending
from ..model.record import GuestRecord, waits
from ..model.report import RunEnded
from ..model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from .context import LOOK_LIMIT, Context
from .reconcile import DAMAGED

#: How long a connection that broke is tried again while the host stops, see Run.retry_for.
RECONNECT_AT_STOP = 60.0
#: What a look at files still gets once the deadline is over: without it a save is unverifiable.
LAST_LOOK = 5.0


@dataclass(frozen=True)
class Run:
    """One run.

    number is the ledger's, None without a ledger; ends is the deadline on the loop's clock.
    sheds: why it sheds guests; None where it does not.  without_ledger: whether a person has it
    take guests down though nobody will remember that.
    """

    context: Context
    config: Config
    kind: RunKind
    trigger: Trigger
    number: int | None
    ends: float
    sheds: str | None = None
    without_ledger: bool = False

    @property
    def source(self) -> str:
        """Who speaks in the reason trail."""
        return f"guestctl:{self.kind}"

    def policy(self, guest: GuestFacts) -> Policy:
        """The guest's policy."""
        return resolve(self.config, guest)

    @property
    def is_quiet(self) -> bool:
        """Whether it tries once more what did not work before: only news is written down."""
        return self.trigger is Trigger.LATE

    @property
    def budget(self) -> Budget:
        """How the deadline is shared among steps."""
        return Budget(self.config.shutdown.deadline)

    @property
    def left(self) -> float:
        """The seconds until the run's deadline."""
        return max(0.0, self.ends - asyncio.get_running_loop().time())

    @property
    def look_limit(self) -> float:
        """Seconds for a look at files of a guest that is down: fewer once the deadline is over."""
        return max(LAST_LOOK, min(LOOK_LIMIT, self.left))

    @property
    def retry_for(self) -> float:
        """How long guests being taken down wait for a connection that broke, within the deadline.

        A libvirtd that ends while the host stops is not started again: its own stop job waits.
        """
        return RECONNECT_AT_STOP if self.trigger is Trigger.HOST_STOP else float("inf")

    # What is written down, in transactions of the callers

    def record_plan(self, ledger: Ledger, plan: GuestPlan) -> None:
        """What is about to be tried, in the trail; the guest is in the run's hands."""
        ledger.runs.begin_guest(self.number, plan.guest)
        if not self.is_quiet:
            ledger.trail.add(plan.guest.id, self.source, f"{self.trigger}: {describe(plan)}")

    def record_step(
        self, ledger: Ledger, row: int | None, guest: GuestId, result: StepResult
    ) -> None:
        """How a step ended, in the trail as well."""
        ledger.runs.end_step(row, guest, result)
        if self.is_quiet and result.end is not StepEnd.DONE:
            return
        reason = f": {result.reason}" if result.reason else ""
        ledger.trail.add(guest, self.source, f"{result.step} {result.end}{reason}")

    def record_end(self, ledger: Ledger, result: GuestResult) -> None:
        """How the run ended for a guest, in the trail as well unless its steps tell."""
        ledger.runs.end_guest(self.number, result)
        waiting, is_news = self._record_waiting(ledger, result)
        if told_by_steps(result) or (waiting and self.is_quiet and not is_news):
            return
        text = ending(result.outcome, result.reason)
        tried = "; it is tried again" if waiting and not waiting.given_up else ""
        ledger.trail.add(result.guest, self.source, f"{text}{tried}")

    def _record_waiting(
        self, ledger: Ledger, result: GuestResult
    ) -> tuple[GuestRecord | None, bool]:
        """The guest's record, where it waits from now on; whether that is new.

        Whoever tries it, and not the service for the second time, begins its time anew.
        """
        before = ledger.guest(result.guest) or GuestRecord(result.guest, result.name)
        boot, tried = self.context.boot, not result.awaits
        waited = before.waiting(boot)
        if not result.is_not_yet or not (self.trigger.keeps_at_it or result.awaits or waited):
            return None, False
        after = waits(before, result.reason, ledger.now(), tried=tried, anew=not self.is_quiet)
        if after != before:
            ledger.put(after)
        reason = after.waiting(boot)
        return (after if reason else None), reason != waited

    async def remark(self, guest: GuestFacts, text: str) -> None:
        """One more line in the guest's reason trail."""
        source = self.source
        await self.context.ledger(lambda ledger: ledger.trail.add(guest.id, source, text), None)

    async def end(
        self, guests: Iterable[GuestResult], lost: dict[str, str], *, interrupted: bool
    ) -> RunResult:
        """The result, recorded and told.  lost: unreadable connections and why."""
        by_name = tuple(sorted(guests, key=lambda result: (result.name, result.guest)))
        result = RunResult(self.kind, self.number, by_name, lost, interrupted)
        read = [uri for uri in self.context.hypervisors if uri not in lost]
        quiet = self.is_quiet
        await self.context.ledger(lambda it: _end(it, result, read, is_quiet=quiet), None)
        self.context.tell(RunEnded(result))
        return result


def _end(ledger: Ledger, result: RunResult, uris: Iterable[str], *, is_quiet: bool) -> None:
    nothing_new = all(guest.is_not_yet for guest in result.guests)
    if is_quiet and nothing_new and not result.interrupted:
        ledger.runs.forget(result.run)
    else:
        ledger.runs.end(result, uris)
    ledger.prune()
    if DAMAGED in result.lost:
        ledger.loss = ""  # this run was not well for it
    if result.kind is not RunKind.RESTORE:
        ledger.copy = CopyNeed.MAKE  # what the next boot goes by


def deadline_of(config: Config, begun: float | None) -> float:
    """The deadline on the loop's clock; begun: when it began to run, if not now."""
    since = asyncio.get_running_loop().time() if begun is None else begun
    return since + config.shutdown.deadline


def record_note(ledger: Ledger, note: Note | None, plan: Plan) -> None:
    """What was said about why, in the trail of each guest that the run is about."""
    for guest in plan.guests if note else ():
        assert note is not None
        ledger.trail.add(guest.guest.id, *note)


async def interruptible(work: Awaitable[None]) -> bool:
    """Do the work; True when it was cancelled, which ends here: the run still reports."""
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        return True
    return False
