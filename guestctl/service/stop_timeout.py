"""How long systemd is asked to be patient: while, and only while, some step is in its time.

A stop of a unit ends after TimeoutStopSec=, however busy it is, unless it asks for more by
EXTEND_TIMEOUT_USEC= (sd_notify(3)); the new end is the later of the old one and now + value.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from ..model.guest import GuestFacts, GuestId
from ..model.plan import GuestPlan, Plan, Step
from ..model.report import Silent, names
from ..model.result import GuestResult, StepResult, Trigger
from ..runs.run import ENDING

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


class StopTimeout(Silent):
    """A Report that knows whether some step is still inside its own deadline."""

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

    def _goes_on(self) -> None:
        self.allow(BETWEEN)

    def run_begins(self, plan: Plan, trigger: Trigger) -> None:
        self._goes_on()
        self._guests.clear()
        self._kind, self._count, self._over = plan.kind, len(plan.guests), 0

    def guest_added(self, plan: GuestPlan) -> None:
        self._goes_on()
        self._count += 1

    def gets_ready(self, guest: GuestFacts, timeout: float) -> None:
        self._busy(guest, "getting ready", timeout)

    def step_begins(self, guest: GuestFacts, step: Step, timeout: float) -> None:
        # A step that runs out of time is ended properly, for which it has some more.
        self._busy(guest, step, timeout + ENDING)

    def step_ends(self, guest: GuestFacts, result: StepResult) -> None:
        self._goes_on()
        self._guests.pop(guest.id, None)

    def guest_ends(self, result: GuestResult) -> None:
        self._goes_on()
        self._guests.pop(result.guest, None)
        self._over += 1
