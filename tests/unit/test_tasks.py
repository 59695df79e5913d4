"""Blocking calls for asyncio: results, failures, and calls that never return."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from guestctl.host import tasks as threads
from tests.testbed.waiting import wait_until
from tests.unit.running import run_async

LIMIT = 10.0


async def _started(work: object) -> object:
    assert callable(work)
    return await threads.start(work)


def test_the_result_comes_back_from_another_thread() -> None:
    assert run_async(_started(threading.get_ident)) != threading.get_ident()


def test_none_is_a_result_too() -> None:
    assert run_async(_started(lambda: None)) is None


def raiser(error: BaseException) -> object:
    """Work that fails with this error."""

    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize("error", [ValueError("x"), OSError(5, "x"), SystemExit(3)])
def test_what_the_work_raises_is_raised_to_whoever_waits(error: BaseException) -> None:
    async def catch() -> BaseException:
        try:
            await _started(raiser(error))
        except (ValueError, OSError, SystemExit) as caught:
            return caught
        raise AssertionError("nothing was raised")

    assert run_async(catch()) is error


def test_work_that_stops_iterating_does_not_make_anybody_wait_for_ever() -> None:
    """asyncio takes no StopIteration for an answer."""

    async def catch() -> bool:
        try:
            await asyncio.wait_for(_started(raiser(StopIteration())), 1)
        except TimeoutError:
            return False
        except Exception:  # noqa: BLE001 - any answer is better than none
            return True
        return False

    async def quietly() -> bool:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        return await catch()

    assert run_async(quietly())


def test_many_at_once_all_run_at_the_same_time() -> None:
    """Each in a thread of its own: none waits for another."""
    everybody = threading.Barrier(50)

    async def together() -> int:
        calls = [threads.start(lambda: everybody.wait(LIMIT)) for _ in range(50)]
        return len(set(await asyncio.gather(*calls)))

    assert run_async(together()) == 50


def test_calls_one_after_another_share_threads() -> None:
    """A thread goes idle a moment after its result is there, hence a few and not one."""

    async def in_turn() -> int:
        return len({await threads.start(threading.get_ident) for _ in range(200)})

    assert run_async(in_turn()) < 20


def test_a_call_that_hangs_is_in_nobodys_way() -> None:
    may_end = threading.Event()

    async def beside() -> list[int]:
        hung = [threads.start(lambda: may_end.wait(LIMIT)) for _ in range(threads.MAX_IDLE + 5)]
        results = [await threads.start(lambda: 7) for _ in range(10)]
        may_end.set()
        await asyncio.gather(*hung)
        return results

    assert run_async(beside()) == [7] * 10


def test_threads_beyond_those_kept_idle_end() -> None:
    many = threads.MAX_IDLE * 3
    everybody = threading.Barrier(many)

    async def together() -> None:
        await asyncio.gather(*(threads.start(lambda: everybody.wait(LIMIT)) for _ in range(many)))

    run_async(together())
    # A few may pass the check for room at the same moment.
    wait_until(lambda: _idle_threads() <= threads.MAX_IDLE + 10, LIMIT, "end of spare threads")


def _idle_threads() -> int:
    return sum(thread.name == "guestctl call" for thread in threading.enumerate())


def test_whoever_gives_up_waiting_leaves_no_trace_when_the_work_ends() -> None:
    trouble: list[object] = []
    may_end, ended = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait(LIMIT)
        ended.set()
        raise ValueError("nobody listens any more")

    async def give_up() -> bool:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: trouble.append(context))
        call = threads.start(work)
        call.cancel()
        may_end.set()
        # Its word comes to the loop before that of a call that is begun after its end.
        await threads.start(lambda: ended.wait(LIMIT))
        await threads.start(lambda: None)
        return call.cancelled()

    assert run_async(give_up())
    assert trouble == []


def test_a_result_that_comes_after_the_loop_is_closed_goes_nowhere() -> None:
    loop = asyncio.new_event_loop()
    future: asyncio.Future[int] = loop.create_future()
    called: list[int] = []
    loop.close()
    threads.hand_over(loop, future, 1)
    threads.call_soon(loop, lambda: called.append(1))
    assert not future.done()
    assert called == []


def test_a_future_is_settled_once() -> None:
    async def settle() -> int:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        threads.hand_over(loop, future, 1)
        threads.hand_over(loop, future, 2)
        threads.hand_over(loop, future, error=ValueError("late"))
        return await future

    assert run_async(settle()) == 1


_HANGS = """
import asyncio, threading
from guestctl.host import tasks as threads

async def main():
    call = threads.start(threading.Event().wait)
    try:
        await asyncio.wait_for(asyncio.shield(call), 0.05)
    except TimeoutError:
        print("gave up")

asyncio.run(main())
"""


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _HANGS], check=True, capture_output=True, text=True, timeout=LIMIT
    )
    assert (result.stdout, result.stderr) == ("gave up\n", "")


def test_work_of_one_kind_that_hangs_costs_one_thread() -> None:
    """Ten looks at a disk that is gone were ten threads for good."""
    release, began = threading.Event(), []

    def hang() -> int:
        began.append(1)
        release.wait(LIMIT)
        return len(began)

    async def work() -> None:
        looks = threads.OneAtATime()
        for _ in range(10):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(looks.do("disk", hang), 0.02)
        assert began == [1]
        assert await looks.do("another", lambda: "at once") == "at once"
        release.set()
        # It is not given what the first one saw.
        assert await looks.do("disk", hang) == 2
        with pytest.raises(ZeroDivisionError):
            await looks.do("disk", lambda: 1 // 0)

    run_async(work())
