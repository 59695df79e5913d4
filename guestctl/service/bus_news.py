"""What happens, for subscribers: libvirt's events, lines of trails, and what guests are by then.

Without subscribers nothing of it is read, and nothing waits for the clock.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..control.happened import Line, of_event, of_trail
from ..control.interface import MANAGER, ROOT
from ..control.requests import RequestError
from ..host.tasks import call_soon
from ..ledger.ledger import Ledger
from ..model.event import GuestEvent
from ..model.history import TrailEvent
from .bus_guests import Guests
from .bus_parts import Signals
from .bus_paths import guest_path
from .state import ServiceState

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two looks at trails, or at the guests, at least; between those at the guests also
#: so many times as long as one takes, but no more than the last: libvirt can be gone for minutes.
PAUSE, TIMES, LONGEST_PAUSE = 1.0, 10.0, 60.0
#: So many lines of trails are told at most after a look: what is older is in `why`.
MOST_LINES = 1000


class News:
    """Tells subscribers; `stir` whenever there may be something to tell."""

    def __init__(self, state: ServiceState, signals: Signals, guests: Guests) -> None:
        self._state = state
        self._signals = signals
        self._guests = guests
        self._stirred = asyncio.Event()
        self._guests_stirred = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        #: The loop that `stir` is to be called in, and the newest line that was told; None while
        #: nobody follows.
        self._told: tuple[asyncio.AbstractEventLoop, int] | None = None

    def heard(self, event: GuestEvent) -> None:
        """libvirt tells of a guest."""
        if self._signals.has_subscribers:
            self._happened(of_event(event))
            self.stir()

    def stir(self) -> None:
        """Guests may be otherwise by now, or their trails have new lines."""
        self._stirred.set()

    def written(self, ledger: Ledger) -> None:
        """The ledger may have new lines: called in its thread, at the end of a transaction."""
        if (told := self._told) is not None and ledger.trail.newest() > told[1]:
            call_soon(told[0], self.stir)

    def begin(self) -> None:
        """There is a subscriber."""
        if self._following is None or self._following.done():
            self._stirred.set()
            self._following = asyncio.create_task(self._follow())

    async def end(self) -> None:
        """Nobody is told any more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    async def _follow(self) -> None:
        """Until something happens that nobody subscribes to any more."""
        loop = asyncio.get_running_loop()
        newest = await self._ask(lambda ledger: ledger.trail.newest(), 0)
        self._told = loop, newest
        guests = asyncio.create_task(self._follow_guests())
        try:
            while self._signals.has_subscribers:
                self._stirred.clear()
                self._guests_stirred.set()
                await self._carefully(self._tell_trails)
                await asyncio.sleep(PAUSE)
                await self._stirred.wait()
        finally:
            guests.cancel()
            await asyncio.wait([guests])
            self._told = None
            self._guests.forget()

    async def _follow_guests(self) -> None:
        """Until cancelled; trails do not wait for libvirt."""
        loop = asyncio.get_running_loop()
        while True:
            await self._guests_stirred.wait()
            self._guests_stirred.clear()
            began = loop.time()
            if not self._state.goes_down:  # libvirt has enough to do then
                await self._carefully(self._guests.say_changes)
            took = loop.time() - began
            await asyncio.sleep(min(max(PAUSE, TIMES * took), LONGEST_PAUSE))

    async def _carefully(self, work: Callable[[], Awaitable[None]]) -> None:
        """What cannot be read now may be the next time."""
        try:
            await work()
        except RequestError as error:
            logger.warning(f"subscribers are not told what changed: {error}")
        except Exception as error:  # noqa: BLE001 - said; the service goes on
            logger.error(f"internal error, subscribers are not told what changed: {error!r}")

    async def _tell_trails(self) -> None:
        nothing: list[TrailEvent] = []
        assert self._told is not None
        loop, newest = self._told
        lines = await self._ask(lambda ledger: ledger.trail.since(newest), nothing)
        for event in lines[-MOST_LINES:]:
            self._happened(of_trail(event))
            self._say_verdict(event)
        if lines:
            self._told = loop, lines[-1].number

    async def _ask(self, question: Callable[[Ledger], T], default: T) -> T:
        return await self._state.context.ledger(question, default)

    def _happened(self, line: Line) -> None:
        self._signals.emit(ROOT, MANAGER, "Happened", json.dumps(line))

    def _say_verdict(self, event: TrailEvent) -> None:
        if (verdict := event.verdict) is None:
            return
        about = (guest_path(event.guest), event.name, str(verdict.who), str(verdict.how or ""))
        evidence = list(map(str, verdict.evidence))
        self._signals.emit(ROOT, MANAGER, "Verdict", *about, str(verdict.certainty), evidence)
