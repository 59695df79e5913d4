"""Folders that the kernel watches: nobody need look every second whether a file was written.

fcntl(2), F_NOTIFY: the one way that the standard library has; inotify(7) would need a library.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

#: One that the kernel drops where nobody waits for it: a late one must not end the process.
_SIGNAL = signal.SIGURG
_WHAT = fcntl.DN_MODIFY | fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_ATTRIB


class FolderChanges:
    """What happens in folders from `watch` on; one such object in a process, used in its loop.

    Nothing is heard of what a symbolic link in them leads to, nor of what another host writes to
    a network file system.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._folders: list[int] = []

    def __enter__(self) -> FolderChanges:
        asyncio.get_running_loop().add_signal_handler(_SIGNAL, self._changed.set)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_signal_handler(_SIGNAL)
        self._let_go()

    def watch(self, folders: Iterable[Path]) -> None:
        """Those that there are, and no others; blocks for as long as the disk does."""
        self._let_go()
        for folder in folders:
            with suppress(OSError):
                self._watch(folder)

    def _watch(self, folder: Path) -> None:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folders.append(number)
        fcntl.fcntl(number, fcntl.F_SETSIG, _SIGNAL)
        fcntl.fcntl(number, fcntl.F_NOTIFY, _WHAT)  # once: the next one needs a `watch` of its own

    def _let_go(self) -> None:
        while self._folders:
            os.close(self._folders.pop())

    async def wait(self, limit: float) -> None:
        """Until something has happened since the last wait; for `limit` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._changed.wait()
        self._changed.clear()
