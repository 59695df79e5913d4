"""The loop of simulated time: it jumps, and what would hang or leak raises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from .sim import loop as virtual
from .sim.loop import SimulationError

# -- the loop ------------------------------------------------------------------------------------


def test_time_jumps_and_everything_waits_in_it() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        seen = []
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
        seen.append(loop.time())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.sleep(100)
        seen.append(loop.time())
        return seen

    assert virtual.run(main()) == [3600, 3615]


async def _forever() -> None:
    await asyncio.Event().wait()


async def _busy() -> None:
    while True:  # noqa: ASYNC110 - the bug to be found
        await asyncio.sleep(0)


async def _slow() -> None:
    await asyncio.sleep(10 * virtual.DAY)


async def _leaving_a_task() -> None:
    asyncio.get_running_loop().left = asyncio.create_task(_slow())  # type: ignore[attr-defined]


async def _leaving_an_error() -> None:
    asyncio.get_running_loop().create_future().set_exception(ValueError("unseen"))


@pytest.mark.parametrize(
    ("main", "message"),
    [
        (_forever, "deadlock"),
        (_busy, "no time passes"),
        (_slow, "still busy"),
        (_leaving_a_task, "left over"),
        (_leaving_an_error, "unseen"),
    ],
)
def test_what_would_hang_or_leak_raises(
    main: Callable[[], Coroutine[Any, Any, None]], message: str
) -> None:
    with pytest.raises(SimulationError, match=message):
        virtual.run(main())
