"""Ledger work off the event loop: one thread, many writers, one fsync for all that wait.

An fsync behind a dozen saves can take seconds.  Whatever waits when the thread gets to its
next transaction goes into it, so that a thousand guests do not mean a thousand syncs.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..host.tasks import hand_over
from ..model.instant import Clock
from .file import transaction
from .ledger import CopyNeed, Ledger
from .opening import identity, is_damage, open_ledger
from .second_copy import SecondCopy

T = TypeVar("T")

#: A disk that does not answer for so long is done without, since guests cannot wait for it.
LEDGER_LIMIT = 20.0


@dataclass(frozen=True)
class _Request:
    """work is None for a look whether the file in use is still the ledger's."""

    work: Callable[[Ledger], Any] | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class LedgerWriter:
    """The LedgerAccess of ports.py, in a thread of its own."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        trouble: Callable[[str], None],
        on_write: Callable[[Ledger], None] = lambda _: None,
        copy: SecondCopy | None = None,
    ) -> None:
        """on_write: called at the end of each transaction, before others can begin theirs.

        copy: kept of what matters; None for no copy.
        """
        self._copy = copy
        self._path = path
        self._on_write = on_write
        self._clock = clock
        self._trouble = trouble
        #: Device and inode of the file in use; None while it is a stand-in, or damaged.
        self._file: tuple[int, int] | None = None
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._stuck: asyncio.Future[Any] | None = None
        self._told = False
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    async def __call__(self, work: Callable[[Ledger], T], default: T) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._requests.put(_Request(work, loop, future))
        future.add_done_callback(_take_error)
        if self._stuck is not None and not self._stuck.done():
            return default  # it will be written all the same, if the disk ever answers
        try:
            async with asyncio.timeout(LEDGER_LIMIT):
                return await asyncio.shield(future)
        except TimeoutError:
            self._stuck = future
            self._tell(f"the ledger {self._path} did not answer for {LEDGER_LIMIT:g} s")
        except Exception as error:  # noqa: BLE001 - a ledger's trouble never stops a run
            self._tell(f"cannot write to the ledger {self._path}: {error}")
        return default

    def look(self) -> None:
        """Have on_write called soon, as after a write."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._requests.put(_Request(lambda _: None, loop, future))
        future.add_done_callback(_take_error)

    async def renew(self) -> bool:
        """Open the ledger's file if it is not the one in use; True when that was done.

        For a process that lives on after the file could not be used, or was set aside or replaced.
        Not in the middle of a run, whose number may mean another one in the other file.
        """
        self._told = False  # trouble from now on is news
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._requests.put(_Request(None, loop, future))
        future.add_done_callback(_take_error)
        try:
            async with asyncio.timeout(LEDGER_LIMIT):
                return await asyncio.shield(future)
        except TimeoutError:
            return False

    def close(self) -> None:
        """Finish what was asked for and close the file; at most LEDGER_LIMIT seconds.

        A disk that has not answered for so long already is not waited for again.
        """
        self._requests.put(None)
        stalls = self._stuck is not None and not self._stuck.done()
        self._thread.join(0 if stalls else LEDGER_LIMIT)

    def _tell(self, message: str) -> None:
        if not self._told:
            self._told = True
            self._trouble(f"{message}; going on without: what happens now may not be remembered")

    def _work(self) -> None:
        # Not before something is asked for: a command that is refused the run lock leaves the
        # ledger alone.
        ledger: Ledger | None = None
        while batch := self._next_batch():
            ledger = ledger or self._open(self._trouble)
            looks = [request for request in batch if request.work is None]
            works = [request for request in batch if request.work is not None]
            if not _carry_out(ledger, works, self._on_write):
                self._file = None
            self._keep_copy(ledger)
            for look in looks:
                ledger, renewed = self._renewed(ledger)
                hand_over(look.loop, look.future, renewed)
        if ledger is not None:
            ledger.db.close()

    def _open(self, trouble: Callable[[str], None]) -> Ledger:
        with contextlib.suppress(OSError):  # said when the file cannot be opened
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ledger = open_ledger(self._path, self._clock, trouble)
        in_file = ledger.db.execute("PRAGMA database_list").fetchone()[2]
        self._file = identity(self._path) if in_file else None
        if in_file and self._copy and (loss := self._copy.look(ledger)):
            trouble(loss)
            ledger.loss = "; ".join(filter(None, (ledger.loss, loss)))
        ledger.copy = CopyNeed.NONE
        return ledger

    def _keep_copy(self, ledger: Ledger) -> None:
        need, ledger.copy = ledger.copy, CopyNeed.NONE
        if self._file is None or self._copy is None:
            return
        if need is CopyNeed.MAKE:
            self._copy.make(ledger)
        elif need is CopyNeed.SPEND:
            self._copy.spend()

    def _renewed(self, ledger: Ledger) -> tuple[Ledger, bool]:
        if self._file is not None and self._file == identity(self._path):
            return ledger, False
        # What it says was said when the trouble began.
        found = self._open(lambda _: None)
        if self._file is None:
            found.db.close()
            return ledger, False
        ledger.db.close()
        self._trouble(found.loss or f"the ledger {self._path} is in use again")
        return found, True

    def _next_batch(self) -> list[_Request]:
        """Everything that waits, at least one request; empty once closed."""
        request = self._requests.get()
        batch = []
        while request is not None:
            batch.append(request)
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._requests.put(None)  # closed: seen again after this batch
        return batch


def _take_error(future: asyncio.Future[Any]) -> None:
    """asyncio logs errors that nobody looked at; nobody may have waited for this one."""
    if not future.cancelled():
        future.exception()


def _carry_out(ledger: Ledger, batch: list[_Request], on_write: Callable[[Ledger], None]) -> bool:
    """All requests in one transaction; answers once it is durable.

    Where one of them fails, each has a transaction of its own.  Not a savepoint for each: what
    SQLite needs for that can go to a temporary file, and the units' sandbox has no folder for
    one (seen as "unable to open database file" once some 16 pages were changed twice).
    False when the file turned out to be damaged.
    """
    works = [request.work for request in batch if request.work is not None]
    answers = _together(ledger, works, on_write)
    answers = answers or [_alone(ledger, work, on_write) for work in works]
    for request, (result, failure) in zip(batch, answers, strict=True):
        hand_over(request.loop, request.future, result, failure)
    return not any(is_damage(failure) for _, failure in answers)


_Answer = tuple[Any, BaseException | None]


def _together(
    ledger: Ledger, works: list[Callable[[Ledger], Any]], on_write: Callable[[Ledger], None]
) -> list[_Answer]:
    """Nothing where one of them fails, or where there is but one."""
    if len(works) < 2:
        return []
    try:
        with transaction(ledger.db):
            answers: list[_Answer] = [(work(ledger), None) for work in works]
            on_write(ledger)
            return answers
    except Exception:  # noqa: BLE001 - nothing is done: it shows again when each is alone
        return []


def _alone(
    ledger: Ledger, work: Callable[[Ledger], Any], on_write: Callable[[Ledger], None]
) -> _Answer:
    try:
        with transaction(ledger.db):
            answer = work(ledger)
            on_write(ledger)
            return answer, None
    except Exception as error:  # noqa: BLE001 - handed to whoever asked
        return None, error
