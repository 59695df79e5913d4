"""The run that takes everybody to safety because the host goes down: the service's, the guard's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from ..config.config import Config
from ..host.locks import ASKED_LIMIT, is_held, run_lock_of_service
from ..ledger.ledger import Ledger
from ..model.guest import GuestId
from ..model.plan import RunKind
from ..model.record import GuestRecord, Wanted
from ..model.result import RunResult, Trigger
from ..runs.context import READ_LIMIT, Context, read_all_retrying
from ..runs.preserve import preserve
from . import settling
from .log_fields import REASON, RUN, RUN_KIND, URI
from .stop_timeout import StopTimeout

logger = logging.getLogger(__name__)

#: How long an unreachable libvirtd is waited for, where guests may be up.
RETRY_FOR = 60.0
#: How long a run of an operator may go on once the host goes down.
OPERATOR = 30.0
#: After so long poweroff.target and reboot.target force the host down (JobTimeoutSec=), whatever
#: else systemd is told; a run ends well before.
FORCED, MOST = 30 * 60.0, 27 * 60.0
#: For what comes between reading the guests and their first steps: XML, room, the ledger.
PLANNING = 120.0
#: For the ledger to answer.
LEDGER_LIMIT = 20.0
#: A run that is begun late still has so many seconds.
LEAST = 10.0


@dataclass(frozen=True)
class HostStop:
    """One such run.

    awaited: connections that are waited for if they cannot be reached: guests may be up there.
    spent: seconds since the host began to go down, used up by an earlier attempt.
    up: who was up when the host began to go down, as far as somebody watched.
    """

    context: Context
    config: Config
    patience: StopTimeout
    awaited: frozenset[str]
    spent: float = 0.0
    up: frozenset[GuestId] = frozenset()

    async def under_lock(self, state: Path, what: str) -> RunResult:
        """Take over from any other run, and carry it out."""
        begun = asyncio.get_running_loop().time() - self.spent
        async with self.patience.asking(), contextlib.AsyncExitStack() as held:
            doomed = await self._settle(operator_is_at_work=is_held(state))
            with self.patience.phase("waiting for another run", OPERATOR + ASKED_LIMIT + 5):
                lock = run_lock_of_service(state, what, logger.warning, timeout=OPERATOR, ask=True)
                await held.enter_async_context(lock)
            result = await self._carry_out(begun)
            await self._keep_word(doomed)
            return result

    async def _settle(self, *, operator_is_at_work: bool) -> set[GuestId]:
        """At once, since waiting for what comes next may take longer than the settle time.

        Whom an operator is just shutting down: the host's end is not the reason.
        """
        boot, kind = self.context.boot, RunKind.SHUTDOWN
        nobody: set[GuestId] = set()

        def settle(ledger: Ledger) -> set[GuestId]:
            settling.host_goes_down(ledger, boot)
            return ledger.hands.held(boot, kind) if operator_is_at_work else nobody

        with self.patience.phase("the host goes down", LEDGER_LIMIT):
            return await self.context.ledger(settle, nobody)

    async def _keep_word(self, doomed: set[GuestId]) -> None:
        def write(ledger: Ledger) -> None:
            for guest in doomed:
                ledger.operators_word_goes(guest)
                text = "it stays down: an operator was shutting it down as the host went down"
                ledger.trail.add(guest, settling.SOURCE, text)

        await self.context.ledger(write, None)

    async def _carry_out(self, begun: float) -> RunResult:
        context, up = self.context, self.up
        limit = RETRY_FOR + 2 * READ_LIMIT + LEDGER_LIMIT
        with self.patience.phase("reading the guests", limit):
            seen = await read_all_retrying(context.hypervisors, RETRY_FOR, self.awaited)
            await context.ledger(
                lambda ledger: settling.stopped_at_the_door(ledger, seen.guests, up, context.boot),
                None,
            )
        self.patience.allow(PLANNING)
        config, trigger = self._within_limits(), Trigger.HOST_STOP
        return await preserve(context, config, RunKind.PRESERVE, trigger, seen, begun=begun)

    def _within_limits(self) -> Config:
        shutdown = self.config.shutdown
        deadline = max(min(shutdown.deadline, MOST), self.spent + LEAST)
        return replace(self.config, shutdown=replace(shutdown, deadline=deadline))


async def host_stop(
    context: Context, config: Config, patience: StopTimeout, up: frozenset[GuestId] = frozenset()
) -> HostStop:
    """What is to be done now that the host goes down, with what was begun before taken in."""
    everywhere = frozenset(context.hypervisors)
    awaited, spent = await context.ledger(lambda ledger: _look(ledger, context), (everywhere, 0.0))
    return HostStop(context, config, patience, awaited | {guest.uri for guest in up}, spent, up)


def _look(ledger: Ledger, context: Context) -> tuple[frozenset[str], float]:
    """Where somebody may be up, and how long the host has been going down already."""
    earlier = ledger.host_stop(context.boot)
    cut_off = earlier is not None and earlier.ended is None
    known = ledger.guests().values()
    may_be_up = frozenset(k.id.uri for k in known if _may_be_up(k, context.boot, cut_off=cut_off))
    if earlier is None:
        return may_be_up, 0.0
    since = (context.clock() - earlier.begun) / 1e9
    # Longer ago than any stop of a host can take, it was another, which did not come about.
    spent = since if 0.0 <= since <= FORCED else 0.0
    return may_be_up, spent


def _may_be_up(known: GuestRecord, boot: str, *, cut_off: bool) -> bool:
    """Whether a guest was up in this boot, and no run is known to have taken it down since."""
    was_up = known.wanted is Wanted.ON and known.up_boot == boot
    return was_up and (cut_off or not known.taken_down)


def tell(result: RunResult) -> None:
    """How a run of the service ended, in the journal."""
    for uri, reason in result.lost.items():
        text = f"cannot read the guests of {uri}: {reason}; they stay wanted as they were"
        logger.error(text, extra={URI: uri, REASON: reason})
    end = "ended well" if result.ok else "ended, and not all is well"
    logger.info(f"{result.kind} {end}", extra={RUN: result.run, RUN_KIND: result.kind})
