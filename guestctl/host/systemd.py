"""systemd: whether it is taking the host down.

Asked over the bus, and when nobody answers there, by `systemctl`, which as root speaks with
systemd on a socket of their own.  Neither starts a unit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from . import programs
from .bus import BusError, SystemBus

NAME, PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
MANAGER, UNIT = "org.freedesktop.systemd1.Manager", "org.freedesktop.systemd1.Unit"
#: Every way down queues one of these: systemd-soft-reboot.service and systemd-kexec.service
#: require shutdown.target as poweroff.target's and reboot.target's services do.  A host that is
#: isolated to rescue or emergency loses libvirt's daemons and ours, and can be rebooted from there
#: with nobody left to see to its guests.
STOP_TARGETS = frozenset(
    {"shutdown.target", "soft-reboot.target", "rescue.target", "emergency.target"}
)
#: Ways down that a target of the same name is queued for; an alias, as ctrl-alt-del.target, shows
#: as the unit that it stands for.
STOP_KINDS = ("reboot", "kexec", "soft-reboot", "poweroff", "halt")
#: SystemState while that goes on; "maintenance": rescue.target or emergency.target is reached,
#: which is so before the other units have been stopped (seen on 257; manager_state in systemd).
STOP_STATES = frozenset({"stopping", "maintenance"})
#: SystemState until the jobs of the boot are done.
START_STATES = frozenset({"initializing", "starting"})
#: Seconds for the bus to answer, and for each question to systemctl.
BUS_LIMIT, SYSTEMCTL_LIMIT = 3.0, 4.0
#: Seconds for which the answer is sought when nobody gives one, and between two attempts.
RETRY_FOR, PAUSE = 5.0, 0.5


async def is_stopping(address: str = "") -> bool | None:
    """Whether systemd is taking the host down; None when nobody answered, within some 12 s.

    address: of a bus, if not the system's.
    """
    try:
        async with asyncio.timeout(BUS_LIMIT):
            return await _ask_bus(address)
    except (BusError, TimeoutError):
        return await _ask_systemctl()


async def is_stopping_retrying() -> bool | None:
    """The same, asked again for a few seconds while nobody answers, as when systemd reloads."""
    end = time.monotonic() + RETRY_FOR
    answer = await is_stopping()
    while answer is None and time.monotonic() < end:
        await asyncio.sleep(PAUSE)
        answer = await is_stopping()
    return answer


def is_stopping_now() -> bool | None:
    """`is_stopping_retrying` where there is no event loop."""
    return asyncio.run(is_stopping_retrying())


async def kind_of_stop(address: str = "") -> str:
    """One of STOP_KINDS; empty where no job tells, or nobody answered, within some 8 s."""
    try:
        async with asyncio.timeout(BUS_LIMIT):
            jobs = await _jobs_over_bus(address)
    except (BusError, TimeoutError):
        jobs = await _jobs_by_systemctl() or []
    targets = {unit for unit, kind in jobs if kind == "start"}
    return next((kind for kind in STOP_KINDS if f"{kind}.target" in targets), "")


async def _jobs_over_bus(address: str) -> list[tuple[str, str]]:
    bus = await SystemBus.connect(address)
    try:
        return await _jobs(bus)
    finally:
        bus.close()


def is_booting_now() -> bool | None:
    """Whether the host is not up yet; None when nobody answered.  There must be no event loop."""
    state = asyncio.run(_state())
    return None if state is None else state in START_STATES


async def _state(address: str = "") -> str | None:
    try:
        async with asyncio.timeout(BUS_LIMIT):
            bus = await SystemBus.connect(address)
            try:
                return str(await bus.get_property(NAME, PATH, MANAGER, "SystemState", "s"))
            finally:
                bus.close()
    except (BusError, TimeoutError):
        said = await _systemctl("show", "--property=SystemState", "--value")
        return said and (said.strip() or None)


async def _ask_bus(address: str) -> bool:
    bus = await SystemBus.connect(address)
    try:
        state = await bus.get_property(NAME, PATH, MANAGER, "SystemState", "s")
        if state in STOP_STATES:
            return True
        # A host that goes down before it was ever up is "starting" (manager_state in systemd).
        return _has_stop_job(await _jobs(bus))
    finally:
        bus.close()


async def _jobs(bus: SystemBus) -> list[tuple[str, str]]:
    """Jobs that are queued, as unit and type."""
    (jobs,) = await bus.call(NAME, PATH, MANAGER, "ListJobs", returns="a(usssoo)")
    return [(unit, kind) for _, unit, kind, *_ in jobs]


def _has_stop_job(jobs: Iterable[tuple[str, str]]) -> bool:
    """Whether one of the jobs, as unit and type, takes the host down."""
    return any(unit in STOP_TARGETS and kind == "start" for unit, kind in jobs)


async def _ask_systemctl() -> bool | None:
    state = await _systemctl("show", "--property=SystemState", "--value")
    if state is None or not state.strip():
        return None
    if state.strip() in STOP_STATES:
        return True
    jobs = await _jobs_by_systemctl()
    return None if jobs is None else _has_stop_job(jobs)


async def _jobs_by_systemctl() -> list[tuple[str, str]] | None:
    jobs = await _systemctl("list-jobs", "--no-legend", "--full", "--plain")
    if jobs is None:
        return None
    # JOB UNIT TYPE STATE
    rows = (line.split() for line in jobs.splitlines())
    return [(row[1], row[2]) for row in rows if len(row) >= 3]


async def _systemctl(*arguments: str) -> str | None:
    """What systemctl prints; None when it fails or takes too long, and then it is killed."""
    try:
        ended = await programs.run("systemctl", "--no-pager", *arguments, limit=SYSTEMCTL_LIMIT)
    except OSError:  # TimeoutError is one
        return None
    return None if ended.status else ended.output
