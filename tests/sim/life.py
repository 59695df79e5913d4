"""One process of the service on a simulated host, and logind as it sees it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from guestctl.control.run_journal import RunJournal
from guestctl.host.locks import HostRunLock
from guestctl.model.report import tell_all
from guestctl.runs.context import Context
from guestctl.service.stop_timeout import StopTimeout
from guestctl.service.triggers import Triggers

from . import loop as virtual
from .world import Process

if TYPE_CHECKING:
    from .service import ServedHost


class Held(NamedTuple):
    """From this moment on the inhibitor is held, or not."""

    time: float
    held: bool


class SimLogin:
    """logind, as the service sees it; None where it does not answer."""

    def __init__(self, host: ServedHost) -> None:
        self._host = host
        self.changes: list[Held] = []

    @property
    def held(self) -> bool:
        """Whether the inhibitor is held now."""
        return bool(self.changes and self.changes[-1].held)

    def inhibit(self, wanted: bool) -> None:
        if wanted != self.held:
            self.changes.append(Held(asyncio.get_running_loop().time(), wanted))

    async def preparing(self) -> bool | None:
        await asyncio.sleep(0)
        return self._host.preparing


class Life:
    """One process of the service, from its start to its end, or of the guard."""

    def __init__(self, host: ServedHost) -> None:
        self.host = host
        self.process = Process(host.sim)
        self.login = SimLogin(host)
        #: When systemd was asked for more time, and for how much.
        self.extensions: list[tuple[float, float]] = []
        self.stop_timeout = StopTimeout(self._extend, lambda _: None)
        self.lock = HostRunLock(host.state, logging.getLogger("guestctl").warning)
        self.triggers = Triggers(self.login, host.is_stopping, host.kind_of_stop)
        self.context = Context(
            self.process.connections,
            host.sim.storage,
            self.process.ledger,
            tell_all(self.process.report, self.stop_timeout, RunJournal()),
            host.sim.now,
            host.sim.boot_id,
            stop_by=lambda: host.stop_by,
            probe=host.sim.probe,
        )
        self.task: asyncio.Task[object] | None = None
        self._end: asyncio.Task[None] | None = None

    def _extend(self, seconds: float) -> None:
        self.extensions.append((asyncio.get_running_loop().time(), seconds))

    def begin(self, work: Coroutine[Any, Any, object]) -> None:
        """From now on this is what the process does."""
        context = contextvars.copy_context()
        context.run(virtual.OWNER.set, self)
        self.task = asyncio.get_running_loop().create_task(work, context=context)

    def kill(self) -> None:
        """SIGKILL: in the same moment nothing of it is left."""
        self.process.kill()
        if self._end is None:
            end, nobodys = virtual.end_tasks_of(self), contextvars.Context()
            self._end = asyncio.get_running_loop().create_task(end, context=nobodys)

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self.task is None or self.task.done()

    async def ended(self) -> object:
        """What came of it, once it has ended; None when it was killed."""
        assert self.task is not None
        await asyncio.wait([self.task])
        if self._end:
            await self._end
        for connection in self.process.connections.values():
            await connection.close()
        return None if self.task.cancelled() else self.task.result()


class _Notes(logging.Handler):
    def __init__(self, host: ServedHost) -> None:
        super().__init__()
        self._host = host

    def emit(self, record: logging.LogRecord) -> None:
        self._host.note(record.getMessage())


@contextlib.contextmanager
def noting(host: ServedHost) -> Iterator[None]:
    """What guestctl logs is noted by the host."""
    log, notes = logging.getLogger("guestctl"), _Notes(host)
    log.setLevel(logging.INFO)
    log.addHandler(notes)
    try:
        yield
    finally:
        log.removeHandler(notes)
