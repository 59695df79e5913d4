"""A UPS, asked over the network by upsc(8) of NUT: how long its battery lasts."""

from __future__ import annotations

import math

from ..model.ups import Ups
from .programs import NotRun, output_of

#: Seconds for an answer: upsd has the value at hand, a host that is away has no answer at all.
LIMIT = 5.0
#: Seconds, as upsd knows them; many UPSes report it, and not all.
VARIABLE = "battery.runtime"


class RuntimeUnknown(Exception):
    """The text says why."""


async def runtime(ups: Ups) -> float:
    """For how many seconds the battery lasts, as the UPS says.  RuntimeUnknown."""
    try:
        return seconds_of(await output_of("upsc", ups.address, VARIABLE, limit=LIMIT))
    except NotRun as error:
        raise RuntimeUnknown(_short(str(error))) from None


def seconds_of(text: str) -> float:
    """What upsc has printed.  RuntimeUnknown for anything but seconds, more than none."""
    try:
        seconds = float(text)
    except ValueError:
        raise RuntimeUnknown(f'{VARIABLE} is "{_short(text)}", which is no number') from None
    if not (math.isfinite(seconds) and seconds > 0):
        raise RuntimeUnknown(f'{VARIABLE} is "{_short(text)}"')
    return seconds


def _short(text: str) -> str:
    """What a UPS says may be anything."""
    return text if len(text) <= 80 else f"{text[:79]}…"
