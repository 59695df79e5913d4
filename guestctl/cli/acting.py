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

from .. import host, systemd
from ..config import Config
from ..model import Door, GuestId, RunKind, RunResult
from ..preserve import preserve
from ..restore import restore
from ..runlock import LockHeld, run_lock
from ..scribe import ThreadScribe
from ..storage import HostStorage
from ..world import Seen, World, read_all_patiently
from . import common
from .display import Display, choose_display
from .exits import CommandError, Exit, complain
from .results import print_result
from .text import emit

#: Below TimeoutStopSec= of the unit (28 min), after which systemd would end the run.
MOST_AT_HOST_STOP = 27 * 60.0
#: How much of the deadline a host's stop waits for another run; how long a boot does.
LOCK_SHARE, BOOT_LOCK_WAIT = 0.2, 1800.0
#: How long a unit's run waits for a libvirtd that cannot be reached, as while it restarts.
PATIENCE = 60.0

_Run = Callable[[World, Config, Seen, frozenset[GuestId] | None], Coroutine[Any, Any, RunResult]]


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve [GUEST…]`, `shutdown GUEST…`, `shutdown --all`."""
    begun = time.monotonic()  # which is asyncio's clock
    door = Door.COMMAND
    if arguments.if_host_stops:
        if not _host_stops():
            emit("the host is not going down: nothing is done to its guests\n")
            return Exit.OK
        door = Door.HOST_STOP
    kind = RunKind.PRESERVE if arguments.preserve else RunKind.SHUTDOWN

    def run(
        world: World, config: Config, seen: Seen, named: frozenset[GuestId] | None
    ) -> Coroutine[Any, Any, RunResult]:
        return preserve(world, config, kind, door, seen, named, begun)

    return _act(arguments, run)


def _host_stops() -> bool:
    """Whether the host is going down; without an answer it is not: no guest is touched then."""
    stops = systemd.is_stopping_now()
    if stops is None:
        complain(
            "cannot find out whether the host is going down: systemd answers neither on the bus"
            " nor to systemctl; it counts as staying up"
        )
    return bool(stops)


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


def _for_unit(arguments: Namespace) -> tuple[bool, bool]:
    """Whether it is the unit's stop, or its start."""
    return getattr(arguments, "if_host_stops", False), getattr(arguments, "boot", False)


def _with_deadline(config: Config, within: float | None, *, stops: bool) -> Config:
    """The configuration with the deadline that the command gives, or that systemd leaves."""
    deadline = within or config.shutdown.deadline
    if stops:
        deadline = min(deadline, MOST_AT_HOST_STOP)
    return replace(config, shutdown=replace(config.shutdown, deadline=deadline))


def _was_restored() -> bool:
    """Without an answer it was not: a damaged ledger must not keep guests down at boot."""
    return common.ask_ledger(lambda ledger: ledger.restored_since_preserve(host.boot_id()), False)


def _act(arguments: Namespace, run: _Run) -> int:
    """One run under the lock, shown as asked for; its exit status."""
    stops, boots = _for_unit(arguments)
    load = common.load_what_can_be if stops or boots else common.load_config
    config = _with_deadline(load(arguments), getattr(arguments, "within", None), stops=stops)
    uris = common.uris(arguments, config)
    common.refuse_remote(uris)
    common.refuse_unprivileged(uris)
    # A unit's run waits for an operator's; an operator is told who is at it.
    wait = config.shutdown.deadline * LOCK_SHARE if stops else BOOT_LOCK_WAIT if boots else 0.0
    # The end of a terminal is not the end of the run that takes its host down.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Until the run has a handler of its own: status 130 as for Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _locked(wait, or_go_on=stops), _scribe() as scribe, choose_display(arguments) as display:
        result = asyncio.run(_with_world(arguments, config, uris, scribe, display, run))
    print_result(result, arguments)
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


@contextlib.contextmanager
def _locked(wait: float, *, or_go_on: bool) -> Iterator[None]:
    """or_go_on: a host that goes down does not wait for an operator's run to end."""
    folder = host.state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        complain(f"cannot create {folder}: {error.strerror}")
    try:
        with run_lock(folder, _what_runs(), wait, complain, or_go_on=or_go_on):
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
    patience = PATIENCE if any(_for_unit(arguments)) else 0.0
    seen = await read_all_patiently(world.hypervisors, patience)
    common.refuse_unreachable(seen, uris)
    common.complain_of_lost(seen)
    named = common.find(arguments.guests, common.names_of(seen)) if arguments.guests else None
    return await run(world, config, seen, named)


def _cancel_on(number: signal.Signals) -> None:
    """End the run as Ctrl-C does: no further step is begun, a save under way is aborted."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(number, task.cancel)
