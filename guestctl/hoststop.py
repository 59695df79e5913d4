"""The run that takes everybody to safety because the host goes down: the service's, the guard's."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from . import journal, settling
from .config import Config
from .model import Door, RunKind, RunResult
from .patience import Patience
from .preserve import preserve
from .runlock import ASKED_LIMIT, run_lock_of_service
from .world import READ_LIMIT, World, read_all_patiently

#: How long an unreachable libvirtd is waited for, where guests may be up.
PATIENCE = 60.0
#: How long a run of an operator may go on once the host goes down.
OPERATOR = 30.0
#: Below the 30 min after which poweroff.target and reboot.target force the host down
#: (JobTimeoutSec=), whatever else systemd is told.
MOST = 27 * 60.0
#: A run that is begun late still has so many seconds.
LEAST = 10.0


@dataclass(frozen=True)
class HostStop:
    """One such run.

    unreachable: seconds for which a libvirtd that cannot be reached is waited for.
    spent: seconds since the host began to go down, used up by an earlier attempt.
    """

    world: World
    config: Config
    patience: Patience
    unreachable: float
    spent: float = 0.0

    async def under_lock(self, state: Path, what: str) -> RunResult:
        """Take over from any other run, and carry it out."""
        begun = asyncio.get_running_loop().time() - self.spent
        async with self.patience.asking(), contextlib.AsyncExitStack() as held:
            with self.patience.phase("waiting for another run", OPERATOR + ASKED_LIMIT + 5):
                lock = run_lock_of_service(state, what, journal.warn, patience=OPERATOR, ask=True)
                await held.enter_async_context(lock)
            return await self._carry_out(begun)

    async def _carry_out(self, begun: float) -> RunResult:
        world = self.world
        with self.patience.phase("reading the guests", self.unreachable + 2 * READ_LIMIT):
            await world.scribe(lambda ledger: settling.host_goes_down(ledger, world.boot), None)
            seen = await read_all_patiently(world.hypervisors, self.unreachable)
        config, door = self._within_limits(), Door.HOST_STOP
        return await preserve(world, config, RunKind.PRESERVE, door, seen, begun=begun)

    def _within_limits(self) -> Config:
        shutdown = self.config.shutdown
        deadline = max(min(shutdown.deadline, MOST), self.spent + LEAST)
        return replace(self.config, shutdown=replace(shutdown, deadline=deadline))


def tell(result: RunResult) -> None:
    """How a run of the service ended, in the journal."""
    for uri, reason in result.lost.items():
        text = f"cannot read the guests of {uri}: {reason}; they stay wanted as they were"
        journal.log(text, priority=journal.Priority.ERROR, uri=uri, reason=reason)
    end = "ended well" if result.ok else "ended, and not all is well"
    journal.log(f"{result.kind} {end}", run=str(result.run), run_kind=result.kind)
