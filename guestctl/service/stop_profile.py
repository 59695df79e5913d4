"""Which settings a stop of the host goes by: those of the way in which it goes down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from ..config.config import Config
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

#: Up to this part of the deadline a run begins anew for other settings; saves begun since are lost.
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


async def stop_by_profile(triggers: Triggers, config: Config, stop: HostStop) -> None:
    """Have the host's stop go by the profile of its kind, and by another once it turns out so.

    Where that leaves other settings in force, the run gives way to one by these: a save under way
    is aborted, and the time that has gone counts.  Cancelled, the run gives way as well.
    """
    begun = asyncio.get_running_loop().time()
    by: Config | None = await in_force(config, triggers.find_kind)
    while by is not None:
        by = await _until_others(triggers, config, by, stop, begun)


async def _until_others(
    triggers: Triggers, config: Config, by: Config, stop: HostStop, begun: float
) -> Config | None:
    """The settings that turn out to be in force instead; None at the end of the run.

    begun: when the stop did, on the loop's clock.
    """
    running = asyncio.create_task(_run(stop, by))
    others = asyncio.create_task(_others(triggers, config, by))
    try:
        await asyncio.wait({running, others}, return_when=asyncio.FIRST_COMPLETED)
        if others.done() and (error := others.exception()):
            logger.error(f"internal error, the run goes on by the settings it has: {error!r}")
            await asyncio.wait({running})
        elif others.done() and _comes_too_late(others.result(), begun):
            logger.warning("other settings turn out to be in force, too late to begin anew")
            await asyncio.wait({running})
        if running.done():
            return None
        logger.warning("the run begins anew: other settings turn out to be in force")
        return others.result()
    finally:
        await end_all([others])
        await give_way(running)


def _comes_too_late(config: Config, begun: float) -> bool:
    """Whether so much of the deadline is gone that guests under way would lose by a new run."""
    gone = asyncio.get_running_loop().time() - begun
    return gone > SOON_ENOUGH * config.shutdown.deadline


async def _run(stop: HostStop, config: Config) -> None:
    await stop(config)


async def _others(triggers: Triggers, config: Config, by: Config) -> Config:
    """The settings in force, once these are not."""
    found = by
    while found == by:
        await triggers.until_told_again()
        found = await in_force(config, triggers.find_kind)
    return found
