"""More time for a stop: asked for while, and only while, some step is in its time.

A stop of a unit ends after TimeoutStopSec=, however busy it is, unless it asks for more by
EXTEND_TIMEOUT_USEC= (sd_notify(3)); the new end is the later of the old one and now + value.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from ..decisions.budget import ENDING
from ..model.guest import GuestFacts, GuestId
from ..model.report import (
    GettingReady,
    GuestAdded,
    GuestEnded,
    RunBegan,
    RunEvent,
    StepBegan,
    StepEnded,
    names,
)

#: How often systemd is asked, and for how much more: well beyond the next time of asking.
INTERVAL, EXTENSION = 5.0, 20.0
#: What comes before, between and after steps may take so long: looking at the guest, a disk that
#: is slow to take the ledger, looking whether anybody is left.
BETWEEN = 60.0


@dataclass
class _Activity:
    """Something under way: what it is for the status, and when its time is over."""

    name: str
    what: str
    ends: float


#: After these, something else begins.
_GOES_ON = (RunBegan, GuestAdded, StepEnded, GuestEnded)


class StopTimeout:
    """Listens to a run, and knows whether some step is still inside its own deadline."""

    def __init__(self, extend: Callable[[float], object], status: Callable[[str], object]) -> None:
        """extend is given seconds, and status the line that `systemctl status` shows."""
        self._extend = extend
        self._status = status
        self._guests: dict[GuestId, _Activity] = {}
        self._phases: list[_Activity] = []
        self._kind = ""
        self._count = 0
        self._over = 0
        self._between_ends = float("-inf")

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Have systemd asked for time meanwhile."""
        asking = asyncio.create_task(self._ask())
        try:
            yield
        finally:
            asking.cancel()

    async def _ask(self) -> None:
        while True:
            if self.is_justified:
                self._extend(EXTENSION)
            self._status(self.summary())
            await asyncio.sleep(INTERVAL)

    @property
    def is_justified(self) -> bool:
        """Whether something is inside its own deadline."""
        now = asyncio.get_running_loop().time()
        under_way = [activity.ends for activity in (*self._guests.values(), *self._phases)]
        return max([self._between_ends, *under_way]) >= now

    def summary(self) -> str:
        """What happens now."""
        if self._phases:
            return self._phases[-1].what
        busy = [f"{a.name} ({a.what})" for a in self._guests.values()]
        done = f"{self._kind} of {self._count} guests: {self._over} done"
        return f"{done}; {names(busy)}" if busy else done

    @contextlib.contextmanager
    def phase(self, what: str, seconds: float) -> Iterator[None]:
        """What a run does before and after its steps."""
        activity = _Activity("", what, asyncio.get_running_loop().time() + seconds)
        self._phases.append(activity)
        try:
            yield
        finally:
            self._phases.remove(activity)

    def _busy(self, guest: GuestFacts, what: str, seconds: float) -> None:
        ends = asyncio.get_running_loop().time() + seconds
        self._guests[guest.id] = _Activity(guest.name, what, ends)

    def allow(self, seconds: float) -> None:
        """What comes next, until a step begins, may take so long."""
        self._between_ends = asyncio.get_running_loop().time() + seconds

    def __call__(self, event: RunEvent) -> None:
        """An event of a run: what is under way, and until when."""
        match event:
            case RunBegan(plan):
                self._guests.clear()
                self._kind, self._count, self._over = plan.kind, len(plan.guests), 0
            case GuestAdded():
                self._count += 1
            case GettingReady(guest, timeout):
                self._busy(guest, "getting ready", timeout)
            case StepBegan(guest, step, timeout):
                # A step that runs out of time is ended properly, for which it has some more.
                self._busy(guest, step, timeout + ENDING)
            case StepEnded(guest):
                self._guests.pop(guest.id, None)
            case GuestEnded(result):
                self._guests.pop(result.guest, None)
                self._over += 1
        if isinstance(event, _GOES_ON):
            self.allow(BETWEEN)
