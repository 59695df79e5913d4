"""The configuration's files: what they say is used before each run, and within seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..config.config import Config
from ..host import tasks
from .configuration import Configuration

logger = logging.getLogger(__name__)

#: How often it is looked whether the files were written, and how long reading them may take.
LOOK, LIMIT = 2.0, 2.0


class FollowedFiles:
    """Reads them in a thread: a disk that stalls keeps nobody from being taken to safety.

    What was read before is used then, until there is an answer.
    """

    def __init__(
        self,
        configuration: Configuration,
        use: Callable[[Config], None],
        on_change: Callable[[], None],
    ) -> None:
        """use: from now on this configuration.  on_change: there may be other mistakes to tell."""
        self._configuration = configuration
        self._use = use
        self._on_change = on_change
        self._used = configuration.config
        # A disk that stalls costs one thread, however often the files are looked at.
        self._reads = tasks.OneAtATime()

    async def refresh(self) -> None:
        """As a run begins."""
        await self._read(self._configuration.refresh)

    async def reload(self) -> None:
        """As somebody asks for it."""
        await self._read(self._configuration.reload)

    async def follow(self, is_busy: Callable[[], bool]) -> None:
        """What is written is taken up; during a run, after it.  Never returns."""
        while True:
            await asyncio.sleep(LOOK)
            if not is_busy():
                await self._read(self._configuration.look)

    async def _read(self, read: Callable[[], bool]) -> None:
        problems = self._configuration.loaded.problems
        try:
            async with asyncio.timeout(LIMIT):
                await self._reads.do("files", read)
        except TimeoutError:
            logger.error("the configuration cannot be read in time: what was read before is used")
        except Exception as error:  # noqa: BLE001 - guests are taken to safety all the same
            logger.error(f"internal error, what was read before is used: {error!r}")
        self._take_up()
        if self._configuration.loaded.problems != problems:
            self._on_change()

    def _take_up(self) -> None:
        """Also what was read by somebody who was not waited for."""
        if self._configuration.config is not self._used:
            self._used = self._configuration.config
            self._use(self._used)
