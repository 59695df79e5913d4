"""The verbs that act on guests: shutdown and start."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

from ..config.config import Config
from ..control import local as common
from ..host import machine
from ..host.locks import LockHeld, run_lock
from ..host.storage import HostStorage
from ..ledger.writer import LedgerWriter
from ..model.guest import GuestId
from ..model.plan import RunKind
from ..model.result import RunResult, Trigger
from ..runs.context import Context, Inventory, read_all
from ..runs.preserve import preserve
from ..runs.restore import restore
from .display import Display, choose_display
from .exits import CommandError, Exit, complain
from .results import print_result

#: Whoever looks whether there is a run has the lock for a moment.
A_GLANCE = 1.0

_Run = Callable[
    [Context, Config, Inventory, frozenset[GuestId] | None], Coroutine[Any, Any, RunResult]
]


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve [GUEST…]`, `shutdown GUEST…`, `shutdown --all`."""
    begun = time.monotonic()  # which is asyncio's clock
    kind = RunKind.PRESERVE if arguments.preserve else RunKind.SHUTDOWN

    def run(
        context: Context, config: Config, seen: Inventory, named: frozenset[GuestId] | None
    ) -> Coroutine[Any, Any, RunResult]:
        note = common.note(arguments)
        return preserve(context, config, kind, Trigger.COMMAND, seen, named, begun, note)

    return _act(arguments, run)


def start_verb(arguments: Namespace) -> int:
    """`start [GUEST…]`."""

    def run(
        context: Context, config: Config, seen: Inventory, named: frozenset[GuestId] | None
    ) -> Coroutine[Any, Any, RunResult]:
        decision, note = arguments.decision, common.note(arguments)
        return restore(context, config, Trigger.COMMAND, seen, named, decision, note=note)

    return _act(arguments, run)


def _with_deadline(config: Config, within: float | None) -> Config:
    """The configuration with the deadline that the command gives."""
    deadline = within or config.shutdown.deadline
    return replace(config, shutdown=replace(config.shutdown, deadline=deadline))


def _act(arguments: Namespace, run: _Run) -> int:
    """One run under the lock, shown as asked for; its exit status."""
    config = _with_deadline(common.load_config(arguments), getattr(arguments, "within", None))
    uris = common.uris(arguments, config)
    common.refuse_remote(uris)
    common.refuse_unprivileged(uris)
    # The end of a terminal is not the end of the run that takes its host down.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Until the run has a handler of its own: status 130 as for Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _locked(), common.scribe() as scribe, choose_display(arguments) as display:
        result = asyncio.run(_with_context(arguments, config, uris, scribe, display, run))
    print_result(result, arguments)
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    folder = machine.state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        complain(f"cannot create {folder}: {error.strerror}")
    try:
        with run_lock(folder, _what_runs(), A_GLANCE, complain):
            yield
    except LockHeld as error:
        raise CommandError(Exit.LOCKED, str(error)) from error


def _what_runs() -> str:
    return " ".join(["guestctl", *sys.argv[1:]])


async def _with_context(
    arguments: Namespace,
    config: Config,
    uris: tuple[str, ...],
    scribe: LedgerWriter,
    display: Display,
    run: _Run,
) -> RunResult:
    _cancel_on(signal.SIGTERM)
    context = Context(
        common.hypervisors(uris, read_only=False),
        HostStorage(),
        scribe,
        display,
        time.time_ns,
        machine.boot_id(),
    )
    seen = await read_all(context.hypervisors)
    common.refuse_unreachable(seen, uris)
    common.complain_of_lost(seen)
    named = common.find(arguments.guests, common.names_of(seen)) if arguments.guests else None
    return await run(context, config, seen, named)


def _cancel_on(number: signal.Signals) -> None:
    """End the run as Ctrl-C does: no further step is begun, a save under way is aborted."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(number, task.cancel)
