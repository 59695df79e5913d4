"""A run of the service, followed to its end by its events, whatever becomes of the bus."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from enum import Enum, auto
from typing import Any, NamedTuple

from ..host import machine, status_file
from ..host.bus import BusError, Rule, SystemBus
from ..model.plain import from_plain
from ..model.report import RunBegan, RunEnded, event_from_plain, is_of_a_later_version
from ..model.result import RunResult
from .failure import Failure, RequestError, ServiceLost
from .interface import MANAGER, NAME, ROOT, RUN
from .requests import Shown
from .service_errors import NO_OBJECT, UNKNOWN, is_lost
from .service_on_bus import ServiceOnBus, readable

#: Seconds for a bus that went away to come back, and for the service to come to it: it tries again
#: after 1, 2, 4, 8 and 16 seconds.
LIMIT = 60.0
#: Between two tries, in seconds, and how long one of them takes at most.
_PAUSE, _TRY = 0.5, 5.0
#: After so many seconds without a word the service is asked: signals can be lost.
_QUIET = 30.0

_HISTORY = "what became of the run: `guestctl history`"


class _Event(NamedTuple):
    number: int
    text: str


class _At(NamedTuple):
    """When an event was, in nanoseconds of CLOCK_MONOTONIC."""

    monotonic: int | None = None


class _News(Enum):
    """What is heard beside events.  ASK: there may be some that were not heard."""

    ASK = auto()
    LOST = auto()


class FollowedRun:
    """A run, and how far it was followed; shown: who is told of its events, each once."""

    def __init__(self, path: str, shown: Shown) -> None:
        self.path = path
        self._shown = shown
        self._next = 0
        self._is_over = False
        self._has_begun = False
        self._result: RunResult | None = None
        #: When it began, in nanoseconds since the epoch: a service that was started anew may have
        #: another run at the same path.
        self._began: int | None = None

    async def to_its_end(self, service: ServiceOnBus, on_followed: Callable[[], None]) -> RunResult:
        """Follow it on this connection; BusError, RequestError where it ended without a result.

        on_followed: called once all that it has told so far is known.
        """
        news: asyncio.Queue[_Event | _News] = asyncio.Queue()
        async with _heard(service, self.path, news):
            await service.ask("Subscribe")
            await self._identify(service)
            await self._catch_up(service)
            on_followed()
            while not self._is_over:
                await self._take(await _next(news), service)
        return self._outcome()

    async def is_there(self, service: ServiceOnBus) -> bool:
        """Whether the service has the same run still; BusError."""
        try:
            return self._began in (None, await self._read_began(service))
        except BusError as error:
            if error.name in UNKNOWN or error.name == NO_OBJECT:
                return False
            raise

    async def _identify(self, service: ServiceOnBus) -> None:
        if self._began is None:
            self._began = await self._read_began(service)

    async def _read_began(self, service: ServiceOnBus) -> int:
        return int(await service.value("Began", self.path, RUN, limit=_TRY))

    async def _take(self, heard: _Event | _News, service: ServiceOnBus) -> None:
        if heard is _News.LOST:
            raise BusError("", "the connection to the service has ended")
        if isinstance(heard, _Event) and heard.number <= self._next:
            self._tell(heard)
        else:
            await self._catch_up(service)

    async def _catch_up(self, service: ServiceOnBus) -> None:
        """Ask for what was not heard; an answer may have a part of it."""
        more = True
        while more and not self._is_over:
            more, ended = await service.ask("Events", self._next, path=self.path, of=RUN)
            for number, text in more:
                self._tell(_Event(number, text))
            self._is_over = self._is_over or ended

    def _tell(self, heard: _Event) -> None:
        if heard.number < self._next:  # it was asked for already
            return
        self._next = heard.number + 1
        with readable():
            values = json.loads(heard.text)
            if is_of_a_later_version(values):
                return
            event = event_from_plain(values)
            at = from_plain(_At, values).monotonic
        self._has_begun = self._has_begun or isinstance(event, RunBegan)
        if isinstance(event, RunEnded):
            self._result, self._is_over = event.result, True
        if at is not None:
            self._shown.as_of(at / 1e9)
        self._shown.listener(event)

    def _outcome(self) -> RunResult:
        if self._result is None:
            what = "was cut off" if self._has_begun else "did not begin"
            text = f"the run {what}: see `journalctl --unit=guestctl`"
            raise RequestError(Failure.NOT_ALL_WELL, text)
        return self._result


@contextlib.asynccontextmanager
async def _heard(
    service: ServiceOnBus, path: str, news: asyncio.Queue[_Event | _News]
) -> AsyncIterator[None]:
    """What concerns the run is put where news are; BusError.

    Signals of its end are heard on their own: one with the event may be too large to be read.
    """

    def put(item: _News) -> Callable[[Any], None]:
        return lambda _: news.put_nowait(item)

    async with service.heard(lambda: news.put_nowait(_News.LOST)):
        event = Rule(NAME, RUN.name, "Event", "ts", path)
        await service.bus.subscribe(event, lambda body: news.put_nowait(_Event(*body)))
        ended = Rule(NAME, RUN.name, "Ended", "bs", path)
        await service.bus.subscribe(ended, put(_News.ASK))
        over = Rule(NAME, MANAGER.name, "RunEnded", "ossb", ROOT)
        await service.bus.subscribe(over, put(_News.ASK))
        yield


async def _next(news: asyncio.Queue[_Event | _News]) -> _Event | _News:
    try:
        async with asyncio.timeout(_QUIET):
            return await news.get()
    except TimeoutError:
        return _News.ASK


async def follow_run(
    service: ServiceOnBus, path: str, shown: Shown, complain: Callable[[str], None]
) -> RunResult:
    """The run to its end; with new connections once this one is lost.

    RequestError where it cannot be followed to its end; BusError.
    """
    run, search = FollowedRun(path, shown), _Search(complain)
    while True:
        try:
            return await run.to_its_end(service, search.ends)
        except BusError as error:
            if not is_lost(error):
                raise
            search.begins(error)
        finally:
            service.bus.close()
        service = await search.service_with(run)


class _Search:
    """For a run that was lost: until it is followed again, or the time for that is over."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._deadline: float | None = None

    def begins(self, error: BusError) -> None:
        """Or goes on: a connection that does not last long enough is none."""
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + LIMIT
            text = f"the run cannot be followed: {error}; looking for it for {LIMIT:g} s"
            self._complain(text)

    def ends(self) -> None:
        """The run is followed."""
        if self._deadline is not None:
            self._deadline = None
            self._complain("the run is followed again")

    async def service_with(self, run: FollowedRun) -> ServiceOnBus:
        """A new connection to the service, which still has the run; RequestError."""
        assert self._deadline is not None
        while asyncio.get_running_loop().time() < self._deadline:
            if not _runs():
                raise _ended()
            await asyncio.sleep(_PAUSE)
            if service := await _looked_for(run):
                return service
        raise ServiceLost(f"the service did not come back to the bus for {LIMIT:g} s; {_HISTORY}")


def _runs() -> bool:
    """Whether there is a service: the bus may be all that it lacks."""
    return status_file.read(machine.SYSTEM_RUN) is not None


def _ended() -> RequestError:
    return ServiceLost(f"the service has ended in mid-run; {_HISTORY}")


async def _looked_for(run: FollowedRun) -> ServiceOnBus | None:
    """The service on a new connection; None while nobody answers.  RequestError where it has no
    such run any more."""
    try:
        service = ServiceOnBus(await SystemBus.connect(timeout=_TRY))
    except BusError:
        return None
    is_there = None
    try:
        is_there = await run.is_there(service)
    except BusError as error:
        if not is_lost(error):
            raise
    finally:
        if not is_there:
            service.bus.close()
    if is_there is False:
        raise _ended()
    return service if is_there else None
