"""What units beside the service run: the guard's stop, and the fallback's start.

    guestctl shutdown --preserve --if-host-stops
    guestctl start --boot

Both do without the service: it may have failed, or have been killed in the middle of its work.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from argparse import Namespace
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from ..config import last_good
from ..config.config import Config
from ..control import local as common
from ..host import journal, machine
from ..host.libvirt import autostart
from ..host.locks import LockHeld, run_lock_of_service
from ..host.notify import Notifier
from ..host.storage import HostStorage
from ..host.systemd import is_stopping_now
from ..ledger.writer import LedgerWriter
from ..model.plan import RunKind
from ..model.report import Several
from ..model.result import RunResult, Trigger
from ..runs.context import Context, read_all_retrying
from ..runs.restore import restore
from ..service.guard import finish
from ..service.host_stop import RETRY_FOR
from ..service.stop_timeout import StopTimeout
from .display import Display, choose_display
from .exits import CommandError, Exit, complain
from .results import print_result
from .text import emit

#: How long a fallback waits for a run of an operator.
OPERATOR_AT_BOOT = 1800.0


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve --if-host-stops`: finish what the service began, or could not begin."""
    if not _host_stops():
        emit("the host is not going down: nothing is done to its guests\n")
        return Exit.OK
    return _act(arguments, _finish)


def _host_stops() -> bool:
    """Whether the host is going down; without an answer it is not: no guest is touched then."""
    stops = is_stopping_now()
    if stops is None:
        complain(
            "cannot find out whether the host is going down: systemd answers neither on the bus"
            " nor to systemctl; it counts as staying up"
        )
    return bool(stops)


def start_verb(arguments: Namespace) -> int:
    """`start --boot`: bring back what this boot owes, unless that was done."""
    nothing: frozenset[str] = frozenset()
    done = common.ask_ledger(
        lambda ledger: ledger.restored_since_preserve(machine.boot_id()), nothing
    )
    if done >= set(common.uris(arguments, _config(arguments))):
        emit("the guests of this boot were brought back already: nothing to do\n")
        return Exit.OK
    return _act(arguments, _bring_back)


@dataclass(frozen=True)
class _Job:
    context: Context
    config: Config
    patience: StopTimeout


def _act(arguments: Namespace, work: Any) -> int:
    config = _config(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(OSError):  # the ledger and the lock say what they do without
        machine.state_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    with journal.started(), common.scribe() as scribe, choose_display(arguments) as display:
        result = asyncio.run(_with_context(arguments, config, scribe, display, work))
    for uri, reason in result.lost.items():
        complain(f"cannot read the guests of {uri}: {reason}; they stay wanted as they were")
    print_result(result, arguments)
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


def _config(arguments: Namespace) -> Config:
    """A slip in a file must not leave the guests of a host that goes down to their fate."""
    loaded = last_good.load(getattr(arguments, "config", None), machine.state_folder())
    for problem in loaded.problems:
        complain(f"the configuration has a mistake: {problem}")
    if loaded.source:
        complain(f"{loaded.source} is used")
    return loaded.config


async def _with_context(
    arguments: Namespace, config: Config, scribe: LedgerWriter, display: Display, work: Any
) -> RunResult:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    notifier = Notifier()
    patience = StopTimeout(notifier.extend, notifier.status)
    uris = common.uris(arguments, config)
    common.refuse_remote(uris)
    hypervisors = common.hypervisors(uris, read_only=False)
    report = Several(display, patience)
    storage, clock, boot = HostStorage(), time.time_ns, machine.boot_id()
    context = Context(hypervisors, storage, scribe, report, clock, boot)
    run: Coroutine[Any, Any, RunResult] = work(_Job(context, config, patience))
    return await run


async def _finish(job: _Job) -> RunResult:
    result = await finish(job.context, job.config, job.patience, machine.state_folder())
    if result is None:
        emit("the service has taken every guest to safety: nothing is left to do\n")
        return RunResult(RunKind.PRESERVE, None, ())
    return result


async def _bring_back(job: _Job) -> RunResult:
    context = job.context
    try:
        async with run_lock_of_service(
            machine.state_folder(),
            "guestctl, at boot",
            complain,
            timeout=OPERATOR_AT_BOOT,
            ask=False,
        ):
            seen = await read_all_retrying(context.hypervisors, RETRY_FOR)
            common.complain_of_lost(seen)
            ours = autostart.claimed()
            return await restore(context, job.config, Trigger.BOOT, seen, autostart=ours)
    except LockHeld as error:
        raise CommandError(Exit.LOCKED, str(error)) from error
