"""The same host asked in this process and over a bus: one guest of libvirt's test driver."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from guestctl.config import last_good
from guestctl.config.config import Config
from guestctl.control.answers import Answers
from guestctl.control.client import Client
from guestctl.control.failure import RequestError
from guestctl.control.in_process import InProcess
from guestctl.control.local import LEDGER_NAME, Local
from guestctl.control.over_bus import OverBus
from guestctl.control.served import Opening
from guestctl.host import machine
from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.host.locks import HostRunLock
from guestctl.host.storage import HostStorage
from guestctl.ledger.second_copy import SecondCopy
from guestctl.ledger.writer import LedgerWriter
from guestctl.runs.context import Context
from guestctl.service.asked_runs import AskedRuns
from guestctl.service.bus_export import BusExport
from guestctl.service.bus_parts import Parts
from guestctl.service.run_log import RunLog
from guestctl.service.state import ServiceState
from guestctl.service.stop_timeout import StopTimeout
from tests.unit.command import TEST
from tests.unit.private_bus import PrivateBus, until

LIMIT = 30.0


class Both(NamedTuple):
    """here: this process.  there: the service.  said: what each complains of."""

    here: Client
    there: Client
    said_here: list[str]
    said_there: list[str]

    def agree(self, ask: Callable[[Client], Any]) -> Any:
        """What both answer, or how they refuse, with the same complaints."""
        here, there = _answer(self.here, ask), _answer(self.there, ask)
        assert there == here, f"over the bus {there}, in this process {here}"
        assert self.said_there == self.said_here, f"{self.said_there}, {self.said_here}"
        return here


def _answer(client: Client, ask: Callable[[Client], Any]) -> Any:
    try:
        return ask(client)
    except RequestError as error:
        return error.failure, str(error)


def both_of(file: Path) -> Both:
    """The clients, as a command makes them that has read this configuration."""
    config, here, there = last_good.load(file, None).config, list[str](), list[str]()
    local = Local(config, (TEST,), here.append)
    return Both(InProcess(local), OverBus(config, (TEST,), there.append), here, there)


@contextlib.contextmanager
def served(bus: PrivateBus, file: Path) -> Iterator[None]:
    """What the service has on the bus, in a thread of its own as it is a process of its own."""
    ready: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        async with _exported(file):
            ready.set_result(lambda: loop.call_soon_threadsafe(over.set))
            await over.wait()

    with ThreadPoolExecutor(1) as threads:
        serving = threads.submit(asyncio.run, serve())
        serving.add_done_callback(lambda _: ready.cancel())  # it failed before it was ready
        end = ready.result(LIMIT)
        try:
            yield
        finally:
            end()
            serving.result(LIMIT)


@contextlib.asynccontextmanager
async def _exported(file: Path) -> AsyncIterator[None]:
    log = RunLog()
    writer = LedgerWriter(
        machine.state_folder() / LEDGER_NAME,
        machine.now,
        lambda _: None,
        lambda _: None,
        SecondCopy(machine.copy_folder()),
    )
    state = _state(log, writer, last_good.load(file, None).config)
    stop_timeout = StopTimeout(lambda _: None, lambda _: None)
    asked = AskedRuns(state, log, stop_timeout, list, lambda _: None)

    async def reload() -> list[str]:
        return []

    answers = Answers(Opening(file, lambda: (TEST,)), lambda: True)
    parts = Parts(answers, asked, log, lambda: _SAID, reload, lambda: True)
    export = BusExport(state, parts, lambda: None)
    running = asyncio.create_task(export.run())
    await until(lambda: not export.problem)
    try:
        yield
    finally:
        await asked.end()
        running.cancel()
        await asyncio.wait([running])
        for hypervisor in state.context.hypervisors.values():
            await hypervisor.close()
        writer.close()
        # Calls that were just answered, and what the end of the service has cancelled.
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


#: What it says of itself is in its status, which is not read from it here.
_SAID = {
    "activity": "watching",
    "up": [],
    "waiting": [],
    "logind": {"inhibitor": False},
    "configuration": {"source": "the file", "problems": []},
}


def _state(log: RunLog, writer: LedgerWriter, config: Config) -> ServiceState:
    context = Context(
        {TEST: LibvirtHypervisor(TEST)},
        HostStorage(),
        writer,
        log,
        machine.now,
        machine.boot_id(),
    )
    lock = HostRunLock(machine.run_folder(), lambda _: None)
    return ServiceState(context, config, lock, lambda: None)
