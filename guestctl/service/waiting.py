"""Waiting for one of several things, and for tasks to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

logger = logging.getLogger(__name__)

#: Until a chore that failed is begun anew.
CHORE_AGAIN = 5.0


async def first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of them is over; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks, and wait until they have ended."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)


async def give_way(task: asyncio.Task[None] | None) -> None:
    """End a run; what libvirt is busy with goes on, and the next run finds it."""
    if task is not None:
        await end_all([task])
        if not task.cancelled():
            task.result()


async def keep_at(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Chores go on after a fault in one of them: it must not end a run that is under way."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - said, and the chore is begun anew
            logger.error(f"internal error: {error!r}")
        await asyncio.sleep(CHORE_AGAIN)
