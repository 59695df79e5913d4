"""What the parts of the service share: what it is doing, its configuration, what runs act in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from enum import StrEnum

from ..config.config import Config
from ..model.guest import GuestId
from ..model.ports import Rival, RunLock
from ..model.record import GuestRecord
from ..model.stop import RivalStop
from ..runs.context import Context

logger = logging.getLogger(__name__)


class Activity(StrEnum):
    """What the service is doing; `guestctl status` shows it."""

    WATCHING = "watching"
    PRESERVING = "preserving"
    RESTORING = "bringing guests back"
    DOWN = "down"

    @property
    def is_run(self) -> bool:
        """Whether guests are being taken down or brought up."""
        return self in (Activity.PRESERVING, Activity.RESTORING)


async def nothing_new() -> None:
    """The configuration is what it was."""


class NoRival:
    """Nobody beside us takes guests down."""

    async def newest_stop(self) -> RivalStop | None:
        return None


NO_RIVAL = NoRival()


class ServiceState:
    """config and context are those in use now; the context's hypervisors follow the configuration.

    lock: one run at a time on this host.  ours: connections of which guestctl is in charge since
    the host booted; None for all of them.  rival: who else may have taken guests down.
    """

    def __init__(
        self,
        context: Context,
        config: Config,
        lock: RunLock,
        on_change: Callable[[], None],
        refresh: Callable[[], Awaitable[None]] = nothing_new,
        ours: frozenset[str] | None = None,
        rival: Rival = NO_RIVAL,
    ) -> None:
        """on_change is called each time something changes that a status would show.

        refresh: brings the configuration as its files are now, as a run begins.
        """
        self.refresh = refresh
        self.context = context
        self.config = config
        self.lock = lock
        self.rival = rival
        self.on_change = on_change
        #: Who could not be brought up so far, and is tried again.
        self.waiting: dict[GuestId, GuestRecord] = {}
        #: By connection that cannot be used: guests that run there.
        self.out_of_reach: dict[str, tuple[str, ...]] = {}
        self._ours = ours
        self._activity = Activity.WATCHING
        #: What a run does that somebody asked for; what the service does of itself goes before.
        self._asked: Activity | None = None
        self._one_run = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def boot(self) -> str:
        """The id of the host's boot."""
        return self.context.boot

    def is_as_found(self, uri: str) -> bool:
        """Whether guestctl was switched on only later in this boot: guests are left as found."""
        return self._ours is not None and uri not in self._ours

    @property
    def activity(self) -> Activity:
        """What is being done now."""
        is_free = self._activity is Activity.WATCHING
        return self._asked if is_free and self._asked else self._activity

    @property
    def goes_down(self) -> bool:
        """Whether the service takes guests to safety because the host goes down, or has."""
        return self._activity in (Activity.PRESERVING, Activity.DOWN)

    def becomes(self, activity: Activity, level: int = logging.INFO) -> None:
        """From now on this is done; level: of the line in the journal that says so."""
        if activity is not self._activity:
            logger.log(level, "%s, after %s", activity, self._activity)
        self._activity = activity
        self._changed()

    @contextlib.contextmanager
    def asked_for(self, activity: Activity) -> Iterator[None]:
        """Meanwhile a run does this that somebody asked for."""
        self._asked = activity
        self._changed()
        try:
            yield
        finally:
            self._asked = None
            self._changed()

    def _changed(self) -> None:
        if self._activity.is_run or self._asked:
            self._idle.clear()
        else:
            self._idle.set()
        self.on_change()

    async def until_idle(self) -> None:
        """Until no run of ours is under way."""
        await self._idle.wait()

    def is_run_under_way(self) -> bool:
        """Of ours, which the lock need not tell where there can be none, or of somebody else."""
        return self.activity.is_run or self.lock.is_held()

    @contextlib.asynccontextmanager
    async def restoring(self, limit: float, level: int = logging.INFO) -> AsyncIterator[None]:
        """Bring guests back under the run lock.  Raises LockHeld where that is not to be had in
        so many seconds.  level: see `becomes`."""
        async with self._one_run:
            self.becomes(Activity.RESTORING, level)
            try:
                async with self.lock.hold("the service: restore", limit):
                    await self.refresh()
                    yield
            finally:
                self.becomes(Activity.WATCHING, level)
