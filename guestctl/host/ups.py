"""A UPS, asked over the network by upsc(8) of NUT: how long its battery lasts."""

from __future__ import annotations

import asyncio
import math
import os

from ..model.ups import Ups
from .systemd import end

#: Seconds for an answer: upsd has the value at hand, a host that is away has no answer at all.
LIMIT = 5.0
#: Seconds, as upsd knows them; many UPSes report it, and not all.
VARIABLE = "battery.runtime"


class RuntimeUnknown(Exception):
    """The text says why."""


async def runtime(ups: Ups) -> float:
    """For how many seconds the battery lasts, as the UPS says.  RuntimeUnknown."""
    return seconds_of(await _upsc(ups))


def seconds_of(text: str) -> float:
    """What upsc has printed.  RuntimeUnknown for anything but seconds, more than none."""
    try:
        seconds = float(text)
    except ValueError:
        raise RuntimeUnknown(f'{VARIABLE} is "{_short(text)}", which is no number') from None
    if not (math.isfinite(seconds) and seconds > 0):
        raise RuntimeUnknown(f'{VARIABLE} is "{_short(text)}"')
    return seconds


async def _upsc(ups: Ups) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            "upsc",
            ups.address,
            VARIABLE,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise RuntimeUnknown(f"cannot run upsc: {error.strerror}; nut-client has it") from None
    try:
        async with asyncio.timeout(LIMIT):
            output, errors = await process.communicate()
    except TimeoutError:
        raise RuntimeUnknown(f"no answer within {LIMIT:g} s") from None
    finally:
        await end(process)
    if process.returncode:
        raise RuntimeUnknown(_why(errors.decode(errors="replace")) or "upsc says no more")
    return output.decode(errors="replace").strip()


def _why(text: str) -> str:
    """Its error; it says other things as well, such as that there are no certificates."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return _short((errors or lines or [""])[-1])


def _short(text: str) -> str:
    """Quoted by nobody's rules: what a UPS says may be anything."""
    return text if len(text) <= 80 else f"{text[:79]}…"
