"""What is common to the work on every guest of one run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from .config import Config
from .model import Door, GuestFacts, GuestResult, RunKind, RunResult, StepPlan
from .policy import Policy, resolve
from .world import World

#: Kept free at the end of a run for pulling plugs: this part of the deadline, or so many
#: seconds, whichever is less.
POWEROFF_SHARE, POWEROFF_RESERVE = 0.2, 30.0


@dataclass(frozen=True)
class Run:
    """One preserve, shutdown or restore under way.

    number is the ledger's, None without a ledger; ends is the deadline on the loop's clock.
    """

    world: World
    config: Config
    kind: RunKind
    door: Door
    number: int | None
    ends: float

    @property
    def source(self) -> str:
        """Who speaks in the reason trail."""
        return f"guestctl:{self.kind}"

    def policy(self, guest: GuestFacts) -> Policy:
        """The guest's policy."""
        return resolve(self.config, guest)

    def allowance(self, planned: StepPlan, *, last: bool) -> float:
        """How many seconds a step may take: its timeout, within what the deadline leaves."""
        deadline = self.config.shutdown.deadline
        reserve = 0.0 if last else min(POWEROFF_RESERVE, POWEROFF_SHARE * deadline)
        left = self.ends - reserve - asyncio.get_running_loop().time()
        return max(0.0, min(planned.timeout, left))

    async def remark(self, guest: GuestFacts, text: str) -> None:
        """One more line in the guest's reason trail."""
        await self.world.scribe(lambda ledger: ledger.add_reason(guest.id, self.source, text), None)


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
    await run.world.scribe(lambda ledger: ledger.end_run(result), None)
    return result


async def begin(world: World, config: Config, kind: RunKind, door: Door) -> Run:
    """A new run, recorded in the ledger."""
    number = await world.scribe(lambda ledger: ledger.begin_run(kind, door, world.boot), None)
    ends = asyncio.get_running_loop().time() + config.shutdown.deadline
    return Run(world, config, kind, door, number, ends)
