"""An asyncio event loop with virtual time: its clock jumps to the next timer.

Nothing waits: when no callback is ready, the time of the next timer is now.  Where real
code would hang, this raises: no timer and nothing ready, too much virtual time, or no time
passing at all.  Nothing depends on chance either: what happens twice happens alike.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Coroutine
from contextvars import ContextVar
from math import inf
from typing import Any, TypeVar

T = TypeVar("T")

DAY = 86400.0
#: Loop iterations without a tick of the clock: more of them is a loop that never sleeps.
MOST_SPINS = 20_000
#: Iterations in which cancelled tasks and callbacks of the last moment come to their end.
_LAST_ROUNDS = 10
_MOST_ROUNDS = 1000


class SimulationError(AssertionError):
    """The simulated program did what would hang or leak in the real world."""


class _JumpingSelector:
    """Watches no files, and instead of waiting moves the clock on."""

    def __init__(self, most: float) -> None:
        self.now = 0.0
        self._most = most
        self._spins = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise SimulationError("deadlock: nothing is ready and no timer is set")
        if timeout > 0:
            self._jump(timeout)
        else:
            self._spin()
        return []

    def forgive(self) -> None:
        """After an error: no limits any more, so that what is left can be ended."""
        self._spins, self._most = -MOST_SPINS, inf

    def _spin(self) -> None:
        self._spins += 1
        if self._spins > MOST_SPINS:
            raise SimulationError(f"busy loop: no time passes any more, at {self.now:g} s")

    def _jump(self, seconds: float) -> None:
        self._spins = 0
        self.now += seconds
        if self.now > self._most:
            raise SimulationError(f"still busy after {self._most:g} s of virtual time")


#: The simulated process that a task is part of: those that it makes are as well.
OWNER: ContextVar[object] = ContextVar("OWNER", default=None)


class _Task(asyncio.Task[Any]):
    """A task whose place in a set is always the same."""

    def __init__(self, number: int, *args: Any, **kwargs: Any) -> None:
        self._number = number
        context = kwargs.get("context")
        self.owner = OWNER.get() if context is None else context.get(OWNER)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


async def end_tasks_of(owner: object) -> None:
    """As the end of a process does, whatever they would do about it."""
    for _ in range(_MOST_ROUNDS):
        tasks = [t for t in asyncio.all_tasks() if isinstance(t, _Task) and t.owner is owner]
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
    raise SimulationError(f"these cannot be ended:\n{_where(set(tasks))}")


class VirtualLoop(asyncio.BaseEventLoop):
    """Begins at 0 s.  mishaps: what asyncio only logs, such as an error nobody looked at."""

    def __init__(self, most: float = DAY) -> None:
        super().__init__()
        self._selector = self._jumping = _JumpingSelector(most)
        self._numbers = itertools.count()
        self.mishaps: list[str] = []
        self.set_exception_handler(self._note_mishap)
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self._jumping.now

    def forgive(self) -> None:
        """Let what is left end, whatever was wrong."""
        self._jumping.forgive()

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        return _Task(next(self._numbers), coro, loop=loop, **kwargs)

    def _process_events(self, _events: list[Any]) -> None:
        """There are no files."""

    def _write_to_self(self) -> None:
        """There are no other threads to wake it."""

    def _note_mishap(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.mishaps.append(f"{context['message']}: {context.get('exception')!r}")


def run(main: Coroutine[Any, Any, T], most: float = DAY) -> T:
    """The coroutine's result; SimulationError when it hangs, or leaves a task or an error."""
    loop = VirtualLoop(most)
    try:
        result = _run_until_complete(loop, main)
        _check_nothing_left(loop)
        return result
    finally:
        _end_tasks(loop)
        loop.close()


def _run_until_complete(loop: VirtualLoop, main: Coroutine[Any, Any, T]) -> T:
    try:
        return loop.run_until_complete(main)
    except SimulationError as error:
        raise SimulationError(f"{error}\n{_where(asyncio.all_tasks(loop))}") from None


def _check_nothing_left(loop: VirtualLoop) -> None:
    loop.run_until_complete(_last_rounds())
    if left := asyncio.all_tasks(loop):
        raise SimulationError(f"tasks are left over:\n{_where(left)}")
    # Errors that nobody looked at are told when their futures are collected.
    gc.collect(0)
    if loop.mishaps:
        raise SimulationError("\n".join(loop.mishaps))


async def _last_rounds() -> None:
    for _ in range(_LAST_ROUNDS):
        await asyncio.sleep(0)


def _where(tasks: set[asyncio.Task[Any]]) -> str:
    return "\n".join(f"  {task.get_name()}: {_waits_at(task)}" for task in tasks)


def _waits_at(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    if not frames:
        return "not begun"
    code = frames[0].f_code
    return f"{code.co_qualname} ({code.co_filename}:{frames[0].f_lineno})"


def _end_tasks(loop: VirtualLoop) -> None:
    """Cancel what is left, so that nothing complains when the loop is closed."""
    for _ in range(_LAST_ROUNDS):
        loop.forgive()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(_last_rounds())
        if not tasks:
            return
