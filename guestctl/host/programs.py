"""Other programs, run for what they print, within a time limit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import NamedTuple

#: Seconds for the end of one that is killed.
KILL_LIMIT = 1.0


class Ended(NamedTuple):
    """A program that has come to its end by itself: its status, and what it printed."""

    status: int
    output: str
    errors: str


class NotRun(Exception):
    """The program printed nothing that counts; the text says why."""


async def run(*argv: str, limit: float, grace: float = 0.0) -> Ended:
    """Run a program to its end, in nobody's language.

    OSError where it cannot be run.  TimeoutError after limit seconds, and it is killed.
    grace: seconds for it to end by itself where whoever waits is told to end; Ctrl-C at the
    terminal is not for it then.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=bool(grace),
        env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
    )
    try:
        async with asyncio.timeout(limit):
            output, errors = await process.communicate()
    except asyncio.CancelledError:
        await _wait(process, grace)
        raise
    finally:
        await _end(process)
    return Ended(process.returncode or 0, _text(output), _text(errors))


async def output_of(*argv: str, limit: float) -> str:
    """What it prints.

    NotRun where it cannot be run, fails, or takes longer than limit seconds: it is killed then.
    """
    try:
        ended = await run(*argv, limit=limit)
    except TimeoutError:
        raise NotRun(f"no answer within {limit:g} s") from None
    except OSError as error:
        raise NotRun(f"cannot run {argv[0]}: {error.strerror}") from None
    if ended.status:
        raise NotRun(_why(ended.errors) or f"{argv[0]} says no more")
    return ended.output.strip()


def is_program(path: str) -> bool:
    """Whether others can run it.  Not access(2): of our sandbox, where next to nothing may be run,
    that says no."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _why(text: str) -> str:
    """Its error; programs say other things as well, such as that there are no certificates."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (errors or lines or [""])[-1]


async def _wait(process: Process, grace: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await process.wait()


async def _end(process: Process) -> None:
    """Leave none behind that was given up on."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await _wait(process, KILL_LIMIT)


def _text(printed: bytes) -> str:
    return printed.decode(errors="replace")
