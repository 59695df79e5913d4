"""Other programs, run for what they print, within a time limit."""

from __future__ import annotations

import asyncio
import os
import stat

from .systemd import end


class NotRun(Exception):
    """The program printed nothing that counts; the text says why."""


async def output_of(*argv: str, limit: float) -> str:
    """What it prints, in nobody's language, within so many seconds.

    NotRun where it cannot be run, fails, or takes longer: it is killed then.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise NotRun(f"cannot run {argv[0]}: {error.strerror}") from None
    try:
        async with asyncio.timeout(limit):
            output, errors = await process.communicate()
    except TimeoutError:
        raise NotRun(f"no answer within {limit:g} s") from None
    finally:
        await end(process)
    if process.returncode:
        raise NotRun(_why(errors.decode(errors="replace")) or f"{argv[0]} says no more")
    return output.decode(errors="replace").strip()


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
