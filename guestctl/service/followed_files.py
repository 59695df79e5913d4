"""The configuration's files: what they say is used before each run, and within seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from ..config import effective
from ..config.config import Config
from ..control.requests import Failure, RequestError
from ..host import tasks
from ..host.file_changes import FolderChanges
from .configuration import Configuration

logger = logging.getLogger(__name__)

#: An editor may write in several steps: read is what has not changed for so long.
LOOK = 2.0
#: How often it is looked whether files were written of which the kernel tells nothing.
LOOK_SELDOM = 300.0
#: How long reading them may take.
LIMIT = 2.0


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

    async def reload_and_tell(self) -> list[str]:
        """The same, for who wants to know what is different now; RequestError where the files have
        mistakes, or cannot be read in time."""
        configuration = self._configuration
        before, read_at = effective.values(configuration.written), configuration.read_at
        await self.reload()
        if problems := configuration.loaded.problems:
            mistakes = "\n".join(map(str, problems))
            text = f"cannot use the configuration:\n{mistakes}"
            raise RequestError(Failure.WRONG_REQUEST, text)
        if configuration.read_at == read_at:
            text = "the configuration cannot be read in time: what was read before is used"
            raise RequestError(Failure.NOT_ALL_WELL, text)
        return effective.changes(before, effective.values(configuration.written))

    async def follow(self, is_busy: Callable[[], bool]) -> None:
        """What is written is taken up; during a run, after it.  Never returns."""
        with FolderChanges() as changes:
            while True:
                # First watched, then looked at: what is written between two looks is heard of.
                await self._in_thread(partial(changes.watch, self._configuration.folders))
                await self._look(is_busy)
                await changes.wait(LOOK_SELDOM)

    async def _look(self, is_busy: Callable[[], bool]) -> None:
        looks = 0
        while looks < 2:
            await asyncio.sleep(LOOK)
            if not is_busy():
                await self._read(self._configuration.look)
                looks += 1

    async def _read(self, read: Callable[[], bool]) -> None:
        problems = self._configuration.loaded.problems
        await self._in_thread(read)
        self._take_up()
        if self._configuration.loaded.problems != problems:
            self._on_change()

    async def _in_thread(self, work: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                await self._reads.do("files", work)
        except TimeoutError:
            logger.error("the configuration cannot be read in time: what was read before is used")
        except Exception as error:  # noqa: BLE001 - guests are taken to safety all the same
            logger.error(f"internal error, what was read before is used: {error!r}")

    def _take_up(self) -> None:
        """Also what was read by somebody who was not waited for."""
        if self._configuration.config is not self._used:
            self._used = self._configuration.config
            self._use(self._used)
