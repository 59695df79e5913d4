"""Which settings a stop of the host goes by: those of the way in which it goes down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from ..config.config import Config
from ..config.settings import LONGEST_STOP
from ..decisions.budget import Budget
from ..decisions.profiles import depends_on_stop, of_stop, under
from ..model.guest import GuestId
from ..model.ports import Mounts, RunLock
from ..model.result import RunResult
from ..runs.context import Context
from .host_stop import finish
from .reach import LastLook
from .stop_timeout import StopTimeout
from .triggers import Triggers
from .waiting import end_all, give_way

logger = logging.getLogger(__name__)

#: Up to this part of its time a run begins anew for other settings; saves begun since are lost.
SOON_ENOUGH = 0.2

#: A run for the host's stop, by this configuration.
HostStop = Callable[[Config], Coroutine[Any, Any, object]]


async def in_force(config: Config, find_kind: Callable[[], Awaitable[str]]) -> Config:
    """The configuration that a stop of the host goes by; said where it depends on its kind.

    find_kind: in which way the host goes down; it is asked only where that matters.
    """
    if not depends_on_stop(config):
        return under(config, None)
    kind = await _found(find_kind)
    profile = of_stop(kind)
    if profile:
        logger.info(f"the host goes down ({kind}): the profile {profile} is in force")
    else:
        known = f"{kind} has no profile" if kind else "it is not known in which way"
        logger.warning(f"the host goes down, {known}: the usual settings are in force")
    return under(config, profile)


async def _found(find_kind: Callable[[], Awaitable[str]]) -> str:
    try:
        return await find_kind()
    except Exception as error:  # noqa: BLE001 - a fault of ours must not keep guests from safety
        logger.error(f"internal error, it is not known how the host goes down: {error!r}")
        return ""


async def finish_by_profile(
    context: Context,
    config: Config,
    find_kind: Callable[[], Awaitable[str]],
    stop_timeout: StopTimeout,
    lock: RunLock,
    last_look: LastLook,
    mounts: Mounts,
    find_ran: Callable[[], Awaitable[frozenset[GuestId]]],
) -> RunResult | None:
    """`finish`, by the settings that are in force.

    find_ran: who ran, where libvirt itself has paused guests.
    """
    context = replace(context, ran=await find_ran())
    by = await in_force(config, find_kind)
    return await finish(context, by, stop_timeout, lock, last_look, mounts)


@dataclass(frozen=True)
class StopByProfile:
    """Has the host's stop go by what its kind has in force, and by another once it turns out so.

    begun: when the stop did, on the loop's clock.
    """

    triggers: Triggers
    config: Config
    stop: HostStop
    begun: float

    async def carry_out(self) -> None:
        """Where other settings turn out to be in force, the run gives way to one by these: a save
        under way is aborted, and the time that has gone counts.  Cancelled, it gives way as well.
        """
        by: Config | None = await in_force(self.config, self.triggers.find_kind)
        while by is not None:
            by = await self._until_anew(by)

    async def _until_anew(self, by: Config) -> Config | None:
        """What the run is to begin anew by; None at its end."""
        running = asyncio.create_task(_run(self.stop, by))
        anew = asyncio.create_task(self._anew(by))
        try:
            await asyncio.wait({running, anew}, return_when=asyncio.FIRST_COMPLETED)
            if anew.done() and (error := anew.exception()):
                logger.error(f"internal error, the run goes on by the settings it has: {error!r}")
                await asyncio.wait({running})
            if running.done():
                return None
            logger.warning("the run begins anew: other settings turn out to be in force")
            return anew.result()
        finally:
            await end_all([anew])
            await give_way(running)

    async def _anew(self, by: Config) -> Config:
        """Until the run is to begin anew; by what."""
        found = by
        while not await self._is_to_begin_anew(by, found):
            found = await in_force(self.config, self.triggers.find_kind)
        return found

    async def _is_to_begin_anew(self, by: Config, found: Config) -> bool:
        """At once, or when the shorter time is nearly over; False where another way down may be
        told before."""
        is_other = found != by
        if is_other and self._is_soon_enough(found):
            return True
        if is_other:
            logger.warning("other settings turn out to be in force, too late to begin anew")
        left = self._latest(found) if _time(found) < _time(by) else None
        try:
            async with asyncio.timeout_at(left):
                await self.triggers.until_told_again()
        except TimeoutError:
            return True
        return False

    def _is_soon_enough(self, found: Config) -> bool:
        """Whether so little of the time is gone that guests under way do not lose by a new run."""
        gone = asyncio.get_running_loop().time() - self.begun
        return gone <= SOON_ENOUGH * _time(found)

    def _latest(self, found: Config) -> float:
        """When those that are still being saved have to go on to their next steps."""
        time = _time(found)
        return self.begun + time - Budget(time).last_steps(found.shutdown.shutdown_timeout)


def _time(config: Config) -> float:
    """How many seconds a run has by it."""
    return min(config.shutdown.deadline, LONGEST_STOP)


async def _run(stop: HostStop, by: Config) -> None:
    await stop(by)
