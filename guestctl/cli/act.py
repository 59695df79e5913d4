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
from ..host import machine as host
from ..host.locks import LockHeld, run_lock
from ..host.storage import HostStorage
from ..ledger.writer import ThreadScribe
from ..model.guest import Door, GuestId, RunKind, RunResult
from ..runs.context import Seen, World, read_all
from ..runs.preserve import preserve
from ..runs.restore import restore
from .display import Display, choose_display
from .exits import CommandError, Exit, complain
from .results import print_result

#: Whoever looks whether there is a run has the lock for a moment.
A_GLANCE = 1.0

_Run = Callable[[World, Config, Seen, frozenset[GuestId] | None], Coroutine[Any, Any, RunResult]]


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve [GUEST…]`, `shutdown GUEST…`, `shutdown --all`."""
    begun = time.monotonic()  # which is asyncio's clock
    kind = RunKind.PRESERVE if arguments.preserve else RunKind.SHUTDOWN

    def run(
        world: World, config: Config, seen: Seen, named: frozenset[GuestId] | None
    ) -> Coroutine[Any, Any, RunResult]:
        words = common.words(arguments)
        return preserve(world, config, kind, Door.COMMAND, seen, named, begun, words)

    return _act(arguments, run)


def start_verb(arguments: Namespace) -> int:
    """`start [GUEST…]`."""

    def run(
        world: World, config: Config, seen: Seen, named: frozenset[GuestId] | None
    ) -> Coroutine[Any, Any, RunResult]:
        decision, words = arguments.decision, common.words(arguments)
        return restore(world, config, Door.COMMAND, seen, named, decision, words=words)

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
        result = asyncio.run(_with_world(arguments, config, uris, scribe, display, run))
    print_result(result, arguments)
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    folder = host.state_folder()
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


async def _with_world(
    arguments: Namespace,
    config: Config,
    uris: tuple[str, ...],
    scribe: ThreadScribe,
    display: Display,
    run: _Run,
) -> RunResult:
    _cancel_on(signal.SIGTERM)
    world = World(
        common.hypervisors(uris, read_only=False),
        HostStorage(),
        scribe,
        display,
        time.time_ns,
        host.boot_id(),
    )
    seen = await read_all(world.hypervisors)
    common.refuse_unreachable(seen, uris)
    common.complain_of_lost(seen)
    named = common.find(arguments.guests, common.names_of(seen)) if arguments.guests else None
    return await run(world, config, seen, named)


def _cancel_on(number: signal.Signals) -> None:
    """End the run as Ctrl-C does: no further step is begun, a save under way is aborted."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(number, task.cancel)
