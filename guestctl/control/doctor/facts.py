"""Gathering what the doctor looks at: each part for itself, in a thread, within a time of its own.

Guests come first, since other parts look at what they use; then all others at the same time.  A
part that takes too long, or fails, is not known, and why is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...decisions.host_state import HostState
from ...host import tasks
from ...model.host_state import NotKnown, NotSeen
from ..gathering import gather
from ..local import Local
from . import auto_shutdown, folders, guests, host, ledger, power, units
from .look import Look


class Part(NamedTuple):
    """name: the field of HostState.  what: as in "WHAT cannot be looked at: …".

    gather: blocks, in a thread of its own; it may raise NotSeen, or OSError.  limit: seconds.
    cheap: needed by cheap checks, and gathered where only those are made.
    """

    name: str
    what: str
    gather: Callable[[Look], object]
    limit: float
    cheap: bool = True


#: Seconds for libvirt, and for all else but the ledger, to tell of the guests.
GUESTS_LIMIT, FACTS_LIMIT = 10.0, 40.0
_FACTS = "guests, and what is wanted of them"
#: A call over the bus has 5 s: some of them, one after another.
PARTS = (
    Part("units", "systemd's units", units.units, 15.0),
    Part("service", "what the service says of itself", units.service, 15.0),
    Part("auto_shutdown", "libvirt's auto-shutdown", auto_shutdown.gather, 15.0),
    Part("ledger", "past runs", ledger.gather, 25.0),
    Part("guests", "guests' storage and agents", guests.gather, 60.0, cheap=False),
    Part("needs", "what guests need to be started", guests.needs, 30.0),
    Part("folders", "the folders of saves and of the ledger", folders.gather, 10.0),
    Part("details", "files of libvirt's daemons and of the bus", host.gather, 15.0),
    Part("running", "processes, versions and the clock", host.running, 20.0, cheap=False),
    Part("power", "what watches the UPS", power.gather, 10.0),
)


def host_state(
    local: Local, complaints: list[str], *, hosts_files: bool, cheap_only: bool = False
) -> HostState:
    """All parts, or the cheap ones.

    complaints: where local tells of what goes wrong.  hosts_files: see Look.
    """
    parts = [part for part in PARTS if part.cheap or not cheap_only]
    return asyncio.run(_host_state(local, complaints, hosts_files, parts))


async def _host_state(
    local: Local, complaints: list[str], hosts_files: bool, parts: Iterable[Part]
) -> HostState:
    facts = await _in_time(_FACTS, FACTS_LIMIT, lambda: gather(local, GUESTS_LIMIT))
    look = Look(local, facts, hosts_files)
    seen = await asyncio.gather(*(_part(part, look) for part in parts))
    values = dict(zip((part.name for part in parts), seen, strict=True))
    return HostState(facts=facts, **values, complaints=tuple(complaints))


async def _part(part: Part, look: Look) -> Any:
    return await _in_time(part.what, part.limit, lambda: part.gather(look))


async def _in_time(what: str, limit: float, work: Callable[[], object]) -> Any:
    try:
        async with asyncio.timeout(limit):
            return await tasks.start(work)
    except TimeoutError:
        return NotKnown(what, f"no answer within {limit:g} s")
    except NotSeen as error:
        return error.of
    except PermissionError as error:
        return NotKnown(what, str(error), refused=True)
    except OSError as error:
        return NotKnown(what, str(error))
    except Exception as error:  # noqa: BLE001 - one bad part must not keep others from being seen
        return NotKnown(what, f"internal error: {error!r}")
