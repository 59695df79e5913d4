"""Blocking calls for asyncio, in daemon threads.

asyncio's own executor joins its threads when the loop ends, so that one libvirt call that
hangs would keep the process from ending (asyncio.run, shutdown_default_executor).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def start(work: Callable[[], T], name: str = "call") -> asyncio.Future[T]:
    """Do the work in a thread of its own; cancelling the future does not stop the work."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except StopIteration as error:  # which a future refuses
            hand_over(loop, future, error=RuntimeError(f"unexpected {error!r}"))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            hand_over(loop, future, error=error)
        else:
            hand_over(loop, future, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def hand_over(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
    result: T | None = None,
    error: BaseException | None = None,
) -> None:
    """Settle a future from another thread, if anybody still waits for it."""

    def settle() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # a result, where no error

    call_soon(loop, settle)


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    """Call back on the loop from another thread; nothing happens once the loop is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
