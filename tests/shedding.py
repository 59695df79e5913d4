"""`shed` and `resume` on a served host, as tests tell of them."""

from __future__ import annotations

import asyncio

from guestctl.config.config import Config, GuestOverride
from guestctl.control.requests import Down, Up
from guestctl.model.history import Actor
from guestctl.model.plan import RunKind
from guestctl.service.run_log import LoggedRun, RunState

from .sim.behaviour import Save
from .sim.service import ServedHost

ROOT = Actor("root", "upsmon.service", "guestctl shed")
#: a goes first, then b; c, which has no number, is not shed by number.
NUMBERED = Config(
    guests=(GuestOverride("a", {"order": 30}), GuestOverride("b", {"order": 20})),
    profiles={"ups": {}},
)
UNSAVED = Config(guests=(GuestOverride("a", {"save": "none"}),))
SLOW = Save(30.0)


def shed_request(
    *names: str, order: int | None = None, profile: str | None = None, reason: str = "on battery"
) -> Down:
    """Of now."""
    begun = asyncio.get_running_loop().time()
    return Down(
        RunKind.PRESERVE, names, begun, reason=reason, profile=profile, sheds=True, order=order
    )


def resume_request(*names: str) -> Up:
    """Those that are shed."""
    return Up(names, shed=True)


async def ended(run: LoggedRun, limit: float = 600.0) -> LoggedRun:
    """The run, once it is over."""
    async with asyncio.timeout(limit):
        while run.state is not RunState.ENDED:  # noqa: ASYNC110 - of a test's run nobody is told
            await asyncio.sleep(0.1)
    return run


async def shed(host: ServedHost, *names: str, order: int | None = None) -> LoggedRun:
    """`guestctl shed`, to its end."""
    return await ended(await host.service.asked.begin(shed_request(*names, order=order), ROOT))


async def resume(host: ServedHost, *names: str) -> LoggedRun:
    """`guestctl resume`, to its end."""
    return await ended(await host.service.asked.begin(resume_request(*names), ROOT))


def doings(run: LoggedRun) -> dict[str, str]:
    """What became of each guest."""
    return {line.name: line.doing for line in run.guests.values()}


def is_shed(host: ServedHost) -> str:
    """Names of those that are."""
    boot = host.life.context.boot
    names = (guest.name for guest in host.sim.daemon("qemu:///system").guests.values())
    return " ".join(n for n in sorted(names) if host.record(n).still_shed(boot) is not None)
