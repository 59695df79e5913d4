"""polkit's agent at the terminal, beside a command: it asks for a password where polkit wants one.

As beside systemctl: only for who is not root, and only at a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import termios
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator

#: Where we are killed, so is the agent.
_DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM")
_PROGRAM = "pkttyagent"
#: Seconds until it has registered with polkit, and for it to end.  Without it a call that needs a
#: password is refused; one that does not end is killed.
_READY_LIMIT, _END_LIMIT = 1.0, 1.0


@contextlib.asynccontextmanager
async def agent_at_terminal() -> AsyncIterator[None]:
    """Have polkit ask at the terminal meanwhile; nothing where there is no agent or no terminal.

    For a loop in the process's first thread: the agent dies with the thread that started it.
    """
    if os.geteuid() == 0 or not sys.stdin.isatty() or not shutil.which(_PROGRAM):
        yield
        return
    with _terminal_as_it_was():
        agent = await _started()
        try:
            yield
        finally:
            if agent:
                await _end(agent)


async def _started() -> Process | None:
    """The agent, once it says that it is there, or is late; None where it cannot be started."""
    ready, notify = os.pipe()
    # --fallback: the agent of a desktop goes before it.
    options = ("--process", str(os.getpid()), "--notify-fd", str(notify), "--fallback")
    argv = (*_DIES_WITH_US, _PROGRAM, *options)
    try:
        # It asks on the terminal itself; its errors are not the command's.
        agent = await asyncio.create_subprocess_exec(
            *argv, pass_fds=[notify], stdout=DEVNULL, stderr=DEVNULL
        )
    except OSError:
        os.close(ready)
        return None
    finally:
        os.close(notify)
    await _wait_for_end_of(ready)
    return agent


async def _wait_for_end_of(pipe: int) -> None:
    """Until the other end is closed, or the limit; closes this one."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    loop.add_reader(pipe, closed.set)
    try:
        async with asyncio.timeout(_READY_LIMIT):
            await closed.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(pipe)
        os.close(pipe)


async def _end(agent: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        agent.terminate()
    try:
        async with asyncio.timeout(_END_LIMIT):
            await agent.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            agent.kill()
        await agent.wait()


@contextlib.contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """An agent that ends while it waits for a password would leave the terminal without echo."""
    try:
        before = termios.tcgetattr(sys.stdin)
    except termios.error:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
