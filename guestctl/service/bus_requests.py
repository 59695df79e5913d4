"""Calls over the bus as requests, and who makes them."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import replace

from ..control.command_line import shortened
from ..control.requests import Down, Up, Who, word
from ..host import machine, tasks
from ..host.bus_callers import Caller
from ..model.history import Actor
from ..model.plan import RunKind
from ..model.text import storable
from .bus_input import Options, invalid

#: Seconds for the user database, and for a process of which the kernel is asked.
WHO_LIMIT = 5.0


def preserve(names: Sequence[Who], options: Options) -> Down:
    """To safety; all where none is named."""
    return _down(RunKind.PRESERVE, names, options)


def shutdown(names: Sequence[Who], options: Options) -> Down:
    """To be off; CallError where it is not said who."""
    if names and options.all:
        raise invalid("options: all goes with no names")
    if not (names or options.all):
        raise invalid("guests: none is named, and the option `all` is not given")
    return _down(RunKind.SHUTDOWN, names, options)


def _down(kind: RunKind, names: Sequence[Who], options: Options) -> Down:
    begun = asyncio.get_running_loop().time()
    said = (options.within, options.reason, options.profile)
    return Down(kind, names, begun, *said, without_ledger=options.without_ledger)


def start(names: Sequence[Who], options: Options) -> Up:
    """Up; CallError where a decision is about nobody, or a run's guests are named as well."""
    if options.decision and not names:
        raise invalid("options: decision: needs guests by name")
    if options.run and names:
        raise invalid("options: run names the guests itself")
    return Up(names, options.decision, options.reason, options.run)


def shed(names: Sequence[Who], options: Options) -> Down:
    """To safety while the host stays up; CallError where it is said twice who."""
    if options.order is not None and names:
        raise invalid("options: order names the guests itself")
    return replace(_down(RunKind.PRESERVE, names, options), sheds=True, order=options.order)


def resume(names: Sequence[Who], options: Options) -> Up:
    """Those that are shed."""
    return Up(names, reason=options.reason, shed=True)


async def asker(caller: Caller, options: Options, method: str, names: Sequence[Who] = ()) -> Actor:
    """Who calls, and what they typed; without that, what they call."""
    call = (
        f"{method} over the bus: {shlex.join(map(word, names))}"
        if names
        else f"{method} over the bus"
    )
    command = options.command or shortened(storable(call))
    try:
        async with asyncio.timeout(WHO_LIMIT):
            return await tasks.start(lambda: machine.actor_of(caller.pid, caller.uid, command))
    except TimeoutError:
        return Actor(str(caller.uid), None, command)
