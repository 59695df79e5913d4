"""Ledgers in a thread of their own, as tests use them."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from guestctl.ledger.file import connect_to_read
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.writer import LedgerWriter
from tests.ledgers import clock
from tests.unit.makers import guest_id
from tests.unit.running import run_async

T = TypeVar("T")
LIMIT = 10.0
Trouble = list[str]


@contextmanager
def open_writer(path: Path) -> Iterator[tuple[LedgerWriter, Trouble]]:
    """A writer, closed in the end, and what it complained of."""
    trouble: Trouble = []
    writer = LedgerWriter(path, clock(), trouble.append)
    try:
        yield writer, trouble
    finally:
        writer.close()


def using(path: Path, use: Callable[[LedgerWriter], Awaitable[T]]) -> tuple[T, Trouble]:
    """What a coroutine makes of a writer, and what was complained of."""

    async def main() -> T:
        return await use(writer)

    with open_writer(path) as (writer, trouble):
        result = run_async(main())
    return result, trouble


def adding(reason: str) -> Callable[[Ledger], str]:
    """Work that writes one line and says so."""

    def work(ledger: Ledger) -> str:
        ledger.trail.add(guest_id(), "source", reason)
        return f"wrote {reason}"

    return work


def failing(error: Exception) -> Callable[[Ledger], str]:
    """Work that writes one line and then fails."""

    def work(ledger: Ledger) -> str:
        ledger.trail.add(guest_id(), "source", "half of it")
        raise error

    return work


def reasons_in(path: Path) -> list[str]:
    """What another process would read now."""
    db = connect_to_read(path)
    try:
        return [entry.reason for entry in Ledger(db, clock()).trail.of(guest_id())]
    finally:
        db.close()


class Gate:
    """Keeps the ledger's thread busy until it is opened: a disk that does not answer."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def work(self, _ledger: Ledger) -> str:
        """Hang, as work of a ledger."""
        self.reached.set()
        self._opened.wait(LIMIT)
        return "answered at last"

    def open(self) -> None:
        """Let the disk answer."""
        self._opened.set()
