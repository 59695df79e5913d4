"""What is common to the work on every guest of one run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..config.config import Config
from ..decisions.outcome import told_by_steps
from ..decisions.plan import describe
from ..decisions.policy import Policy, resolve
from ..decisions.wanted import UNWATCHED, Desired, Stop, desired, hold_of
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.history import Note
from ..model.plan import GuestPlan, Outcome, Plan, RunKind, Step, StepPlan
from ..model.ports import ErrorKind, HypervisorError
from ..model.record import GuestRecord
from ..model.result import GuestResult, RunResult, StepResult, Trigger
from .context import Context, Inventory
from .save_check import with_image

#: What a run keeps free of its deadline for what comes later: the part of the deadline, and
#: the most in seconds.  For ending a step that ran out of time (aborting a save), for a
#: shutdown that follows a save (at most its timeout), for pulling plugs.
ENDING_SHARE, ENDING = 0.1, 30.0
SHUTDOWN_SHARE = 0.25
POWEROFF_SHARE, POWEROFF = 0.3, 30.0
#: libvirt gives a QEMU that does not answer SIGTERM for 10 s, then SIGKILL.
LEAST_POWEROFF = 15.0
#: How long a connection that broke is tried again while the host stops, see Run.patience.
RECONNECT_AT_STOP = 60.0

#: How the ledger is named among the connections that were lost.
LEDGER = "ledger"


@dataclass(frozen=True)
class Run:
    """One preserve, shutdown or restore under way.

    number is the ledger's, None without a ledger; ends is the deadline on the loop's clock.
    """

    context: Context
    config: Config
    kind: RunKind
    trigger: Trigger
    number: int | None
    ends: float

    @property
    def source(self) -> str:
        """Who speaks in the reason trail."""
        return f"guestctl:{self.kind}"

    def policy(self, guest: GuestFacts) -> Policy:
        """The guest's policy."""
        return resolve(self.config, guest)

    def allowance(self, planned: StepPlan, later: Sequence[StepPlan]) -> float:
        """How many seconds a step may take: its timeout, within what the deadline leaves.

        A poweroff always has its chance: without it the guest's end is no better.
        """
        if planned.step is Step.POWEROFF:
            return max(LEAST_POWEROFF, min(planned.timeout, self.left))
        keep = sum(self._reserve(step) for step in later)
        if planned.step is Step.SAVE:
            keep += self.ending
        return max(0.0, min(planned.timeout, self.left - keep))

    def _reserve(self, planned: StepPlan) -> float:
        deadline = self.config.shutdown.deadline
        if planned.step is Step.SHUTDOWN:
            return min(planned.timeout, SHUTDOWN_SHARE * deadline)
        return min(POWEROFF, POWEROFF_SHARE * deadline)

    @property
    def ending(self) -> float:
        """The seconds for ending a step that ran out of time."""
        return min(ENDING, ENDING_SHARE * self.config.shutdown.deadline)

    @property
    def left(self) -> float:
        """The seconds until the run's deadline."""
        return max(0.0, self.ends - asyncio.get_running_loop().time())

    @property
    def patience(self) -> float:
        """How long guests being taken down wait for a connection that broke, within the deadline.

        A libvirtd that ends while the host stops is not started again: its own stop job waits.
        """
        return RECONNECT_AT_STOP if self.trigger is Trigger.HOST_STOP else float("inf")

    def record_plan(self, ledger: Ledger, plan: GuestPlan) -> None:
        """What is about to be tried, in the trail."""
        ledger.trail.add(plan.guest.id, self.source, f"{self.trigger}: {describe(plan)}")

    def record_step(
        self, ledger: Ledger, row: int | None, guest: GuestId, result: StepResult
    ) -> None:
        """How a step ended, in the trail as well."""
        ledger.end_step(row, guest, result)
        reason = f": {result.reason}" if result.reason else ""
        ledger.trail.add(guest, self.source, f"{result.step} {result.end}{reason}")

    def record_end(self, ledger: Ledger, result: GuestResult) -> None:
        """How the run ended for a guest, in the trail as well unless its steps tell."""
        ledger.end_guest(self.number, result)
        if result.outcome is Outcome.GONE and self.kind is RunKind.RESTORE:
            ledger.undecided(result.guest)
        if not told_by_steps(result):
            text = f"{result.outcome}: {result.reason}" if result.reason else result.outcome
            ledger.trail.add(result.guest, self.source, text)

    async def remark(self, guest: GuestFacts, text: str) -> None:
        """One more line in the guest's reason trail."""
        await self.context.ledger(
            lambda ledger: ledger.trail.add(guest.id, self.source, text), None
        )


async def write_note(context: Context, note: Note | None, plan: Plan) -> None:
    """What was said about a run, in the trail of each guest that it is about."""
    if note is None:
        return

    def write(ledger: Ledger) -> None:
        for guest in plan.guests:
            ledger.trail.add(guest.guest.id, *note)

    await context.ledger(write, None)


async def take_notice(context: Context, seen: Inventory) -> dict[GuestId, GuestRecord] | None:
    """Write down what happened to guests while nobody watched; what the ledger knows then.

    Both kinds of runs begin with it: libvirt forgets why a guest is off when the host goes down.
    None where there is no ledger that knows anything, as when its file cannot be opened.
    """

    def notice(ledger: Ledger) -> dict[GuestId, GuestRecord]:
        known = ledger.guests()
        for guest in seen.guests:
            notice_guest(ledger, known.get(guest.id), guest, context.boot)
        return ledger.guests()

    # A ledger on a full disk can still be read.
    noticed = await context.ledger(notice, None) or await context.ledger(Ledger.guests, None)
    noticed = await _end_holds(context, seen, noticed or {})
    return noticed if await context.ledger(_remembers, False) else None


async def _end_holds(
    context: Context, seen: Inventory, known: dict[GuestId, GuestRecord]
) -> dict[GuestId, GuestRecord]:
    """A hold that guestctl put on a guest because of its save ends with the save.

    libvirt knows nothing of an image that was put back by hand: the file decides.
    """
    for guest in seen.guests:
        says = known.get(guest.id)
        if says is None or says.hold is None or hold_of(says, guest) is not None:
            continue
        if hold_of(says, await with_image(context.storage, guest)) is None:
            known = {**known, guest.id: replace(says, hold=None, held_for_save=False)}
            await context.ledger(partial(_end_hold, guest=guest.id), None)
    return known


def _end_hold(ledger: Ledger, guest: GuestId) -> None:
    ledger.release_for_save(guest)
    ledger.trail.add(guest, "guestctl:release", "its save is gone")


def without_ledger(seen: Inventory) -> Inventory:
    """What was seen, with the ledger among what is lost: such a run is not well."""
    lost = HypervisorError(ErrorKind.FAILED, "what is wanted of the guests is not known")
    return replace(seen, lost={**seen.lost, LEDGER: lost})


def _remembers(ledger: Ledger) -> bool:
    return ledger.remembers


def notice_guest(
    ledger: Ledger, known: GuestRecord | None, guest: GuestFacts, boot: str, stop: Stop = UNWATCHED
) -> Desired:
    """Bring what the ledger says of a guest in line with what is seen of it; what holds now."""
    if known and known.up_boot == boot and guest.down:
        stop = replace(stop, intent=ledger.intent(guest.id, boot, stop.window))
    found = desired(known, guest, boot, stop)
    if known and known.name != guest.name:
        ledger.rename(guest.id, guest.name)
    if guest.starting or guest.in_transit:
        return found  # neither up nor down yet
    if found.verdict:
        ledger.judge(guest, found.wanted, found.verdict)
    elif guest.up and guest.persistent and not _still_ours(ledger, known, guest, boot):
        ledger.seen_up(guest, boot)
    return found


def _still_ours(ledger: Ledger, known: GuestRecord | None, guest: GuestFacts, boot: str) -> bool:
    """Whether a run that was cut off may still take the guest down: that is no one else's doing.

    libvirt can go on with a save that was given up, and aborted in vain.
    """
    if known is None or not known.taken_down:
        return False
    our_save = guest.saving and known.up_boot == boot and Step.SAVE in known.tried
    return our_save or ledger.being_taken_down(known.id, boot)


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


async def end(
    run: Run, guests: Iterable[GuestResult], lost: dict[str, str], *, interrupted: bool
) -> RunResult:
    """The run's result, recorded in the ledger.  lost: unreadable connections and why."""
    by_name = tuple(sorted(guests, key=lambda result: (result.name, result.guest)))
    result = RunResult(run.kind, run.number, by_name, lost, interrupted)
    read = [uri for uri in run.context.hypervisors if uri not in lost]
    await run.context.ledger(lambda ledger: ledger.end_run(result, read), None)
    return result


async def begin(
    context: Context, config: Config, kind: RunKind, trigger: Trigger, begun: float | None = None
) -> Run:
    """A new run, recorded in the ledger; begun: when its deadline began to run, if not now."""
    since = asyncio.get_running_loop().time() if begun is None else begun
    number = await context.ledger(
        lambda ledger: ledger.begin_run(kind, trigger, context.boot), None
    )
    ends = since + config.shutdown.deadline
    return Run(context, config, kind, trigger, number, ends)
