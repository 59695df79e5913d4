"""What a stop of the host goes by: the settings and the limit of the way in which it goes down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from math import inf
from typing import Any, NamedTuple

from ..config.config import Config
from ..decisions.budget import Budget, before_force
from ..decisions.profiles import depends_on_stop, of_stop, under
from ..model.guest import GuestId
from ..model.host_units import StopLimit
from ..model.ports import Mounts, RunLock
from ..model.result import RunResult
from ..model.units import show_duration
from ..runs.context import Context
from .host_stop import InForce, finish
from .reach import LastLook
from .stop_timeout import StopTimeout
from .triggers import Triggers
from .waiting import end_all, give_way

logger = logging.getLogger(__name__)

#: Up to this part of its time a run begins anew for other settings; saves begun since are lost.
SOON_ENOUGH = 0.2
#: Seconds by which answers about the same limit differ, as questions and answers take their time.
SAME_TIME = 1.0

#: A run for the host's stop, by what is in force.
HostStop = Callable[[InForce], Coroutine[Any, Any, object]]


class Asked(NamedTuple):
    """In which way the host goes down, empty where nobody tells; and after how long systemd forces
    it down then, None where nobody answers."""

    kind: Callable[[], Awaitable[str]]
    limit: Callable[[str], Awaitable[StopLimit | None]]


async def in_force(config: Config, asked: Asked) -> InForce:
    """What a stop of the host goes by; said where its settings depend on its kind."""
    kind = await _found(asked.kind)
    by = _settings(config, kind)
    limit = await _found_limit(asked.limit, kind) if kind else None
    return _limited(by, limit) if limit else InForce(by)


def _settings(config: Config, kind: str) -> Config:
    if not depends_on_stop(config):
        return under(config, None)
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


async def _found_limit(
    find_limit: Callable[[str], Awaitable[StopLimit | None]], kind: str
) -> StopLimit | None:
    """Without an answer the limit that systemd comes with counts."""
    try:
        limit = await find_limit(kind)
    except Exception as error:  # noqa: BLE001 - as above
        logger.error(f"internal error, it is not known when systemd forces that: {error!r}")
        return None
    if limit is None:
        logger.warning("systemd does not say after how long it forces the host down: 30min count")
    return limit


def _limited(config: Config, limit: StopLimit) -> InForce:
    if limit.seconds == inf:
        return InForce(config)
    now, has = asyncio.get_running_loop().time(), before_force(limit.seconds)
    text = f"systemd forces the host down after {show_duration(limit.seconds)}"
    why = f"{text} (JobTimeoutSec= of {limit.unit}): guests have {show_duration(has)}"
    return InForce(config, now - limit.gone + has, why)


async def finish_by_profile(
    context: Context,
    config: Config,
    asked: Asked,
    stop_timeout: StopTimeout,
    lock: RunLock,
    last_look: LastLook,
    mounts: Mounts,
    find_ran: Callable[[], Awaitable[frozenset[GuestId]]],
) -> RunResult | None:
    """`finish`, by what is in force.

    find_ran: who ran, where libvirt itself has paused guests.
    """
    context = replace(context, ran=await find_ran())
    by = await in_force(config, asked)
    return await finish(context, by, stop_timeout, lock, last_look, mounts)


@dataclass(frozen=True)
class StopByProfile:
    """Has the host's stop go by what its kind has in force, and by another once it turns out so.

    begun: when the stop did, on the loop's clock.
    """

    triggers: Triggers
    config: Config
    asked: Asked
    stop: HostStop
    begun: float

    async def carry_out(self) -> None:
        """Where other settings turn out to be in force, the run gives way to one by these: a save
        under way is aborted, and the time that has gone counts.  Cancelled, it gives way as well.
        """
        by: InForce | None = await in_force(self.config, self.asked)
        while by is not None:
            by = await self._until_anew(by)

    async def _until_anew(self, by: InForce) -> InForce | None:
        """What the run is to begin anew by; None at its end."""
        running = asyncio.create_task(_run(self.stop, replace(by, since=self.begun)))
        anew = asyncio.create_task(self._anew(by))
        try:
            await asyncio.wait({running, anew}, return_when=asyncio.FIRST_COMPLETED)
            if anew.done() and (error := anew.exception()):
                logger.error(f"internal error, the run goes on by the settings it has: {error!r}")
                await asyncio.wait({running})
            if running.done():
                return None
            found = anew.result()
            is_other = found.config != by.config
            what = (
                "other settings turn out to be in force" if is_other else "its time is nearly over"
            )
            logger.warning(f"the run begins anew: {what}")
            return found
        finally:
            await end_all([anew])
            await give_way(running)

    async def _anew(self, by: InForce) -> InForce:
        """Until the run is to begin anew; by what."""
        found = by
        while not await self._is_to_begin_anew(by, found):
            found = await in_force(self.config, self.asked)
        return found

    async def _is_to_begin_anew(self, by: InForce, found: InForce) -> bool:
        """At once, or when the shorter time is nearly over; False where another way down may be
        told before."""
        is_other = found.config != by.config
        if is_other and self._is_soon_enough(found):
            return True
        if is_other:
            logger.warning("other settings turn out to be in force, too late to begin anew")
        is_less = found.ends(self.begun) < by.ends(self.begun) - SAME_TIME
        left = self._latest(found) if is_less else None
        try:
            async with asyncio.timeout_at(left):
                await self.triggers.until_told_again()
        except TimeoutError:
            return True
        return False

    def _is_soon_enough(self, found: InForce) -> bool:
        """Whether so little of the time is gone that guests under way do not lose by a new run."""
        gone = asyncio.get_running_loop().time() - self.begun
        return gone <= SOON_ENOUGH * (found.ends(self.begun) - self.begun)

    def _latest(self, found: InForce) -> float:
        """When those that are still being saved have to go on to their next steps."""
        ends = found.ends(self.begun)
        kept = Budget(ends - self.begun).last_steps(found.config.shutdown.shutdown_timeout)
        return ends - kept


async def _run(stop: HostStop, by: InForce) -> None:
    await stop(by)
