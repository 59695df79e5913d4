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

from .. import host
from ..config import Config
from ..model import Door, GuestId, RunKind, RunResult
from ..preserve import preserve
from ..restore import restore
from ..runlock import LockHeld, run_lock
from ..scribe import ThreadScribe
from ..storage import HostStorage
from ..world import Seen, World, read_all
from . import common
from .display import Display, choose_display
from .exits import CommandError, Exit, complain
from .results import print_result
from .text import emit

_Run = Callable[[World, Config, Seen, frozenset[GuestId] | None], Coroutine[Any, Any, RunResult]]


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve [GUEST…]`, `shutdown GUEST…`, `shutdown --all`."""
    door = Door.COMMAND
    if arguments.if_host_stops:
        if not host.is_stopping():
            emit("the host is not going down: nothing is done to its guests\n")
            return Exit.OK
        door = Door.HOST_STOP
    kind = RunKind.PRESERVE if arguments.preserve else RunKind.SHUTDOWN

    def run(
        world: World, config: Config, seen: Seen, named: frozenset[GuestId] | None
    ) -> Coroutine[Any, Any, RunResult]:
        return preserve(world, config, kind, door, seen, named)

    return _act(arguments, run)


def start_verb(arguments: Namespace) -> int:
    """`start [GUEST…]`."""
    door = Door.BOOT if arguments.boot else Door.COMMAND
    if arguments.boot and _was_restored():
        emit("the guests of this boot were brought back already: nothing to do\n")
        return Exit.OK

    def run(
        world: World, config: Config, seen: Seen, named: frozenset[GuestId] | None
    ) -> Coroutine[Any, Any, RunResult]:
        return restore(world, config, door, seen, named, arguments.decision)

    return _act(arguments, run)


def _within(config: Config, seconds: float | None) -> Config:
    """The configuration with another deadline, where the command gives one."""
    if seconds is None:
        return config
    return replace(config, shutdown=replace(config.shutdown, deadline=seconds))


def _was_restored() -> bool:
    """Without an answer it was not: a damaged ledger must not keep guests down at boot."""
    return common.ask_ledger(lambda ledger: ledger.restored_since_preserve(host.boot_id()), False)


def _act(arguments: Namespace, run: _Run) -> int:
    """One run under the lock, shown as asked for; its exit status."""
    config = _within(common.load_config(arguments), getattr(arguments, "within", None))
    uris = common.uris(arguments, config)
    common.refuse_remote(uris)
    common.refuse_unprivileged(uris)
    # A unit's run waits for an operator's; an operator is told who is at it.
    unit = getattr(arguments, "if_host_stops", False) or getattr(arguments, "boot", False)
    wait = config.shutdown.deadline if unit else 0.0
    # The end of a terminal is not the end of the run that takes its host down.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with _locked(wait), _scribe() as scribe, choose_display(arguments) as display:
        result = asyncio.run(_with_world(arguments, config, uris, scribe, display, run))
    print_result(result, arguments)
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


@contextlib.contextmanager
def _locked(wait: float) -> Iterator[None]:
    folder = host.state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        complain(f"cannot create {folder}: {error.strerror}")
    try:
        with run_lock(folder, _what_runs(), wait, complain):
            yield
    except LockHeld as error:
        raise CommandError(Exit.LOCKED, str(error)) from error


def _what_runs() -> str:
    return " ".join(["guestctl", *sys.argv[1:]])


@contextlib.contextmanager
def _scribe() -> Iterator[ThreadScribe]:
    scribe = ThreadScribe(common.ledger_path(), time.time_ns, complain)
    try:
        yield scribe
    finally:
        scribe.close()


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
