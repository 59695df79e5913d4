"""The verbs that act: shutdown, start, hold, release."""

from __future__ import annotations

import signal
import time
from argparse import Namespace
from collections.abc import Callable

from ..control import actions
from ..control.actions import Down, Shown, Up
from ..model.plan import RunKind
from ..model.result import RunResult
from .exits import Exit
from .options import local_of
from .results import print_result
from .screen import choose_display
from .text import emit, printable


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve [GUEST…]`, `shutdown GUEST…`, `shutdown --all`."""
    begun = time.monotonic()
    local = local_of(arguments)
    kind = RunKind.PRESERVE if arguments.preserve else RunKind.SHUTDOWN
    request = Down(kind, arguments.guests, begun, arguments.within, arguments.reason)
    return _run(arguments, lambda shown: actions.take_down(local, request, shown))


def start_verb(arguments: Namespace) -> int:
    """`start [GUEST…]`."""
    local = local_of(arguments)
    request = Up(arguments.guests, arguments.decision, arguments.reason)
    return _run(arguments, lambda shown: actions.bring_up(local, request, shown))


def _run(arguments: Namespace, act: Callable[[Shown], RunResult]) -> int:
    """One run, shown as asked for; its exit status."""
    take_signals()
    with choose_display(arguments) as display:
        result = act(Shown(display, display.follows_progress))
    print_result(result, arguments)
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


def take_signals() -> None:
    """Before a run: SIGTERM ends it as Ctrl-C does, also before it has a handler of its own."""
    # The end of a terminal is not the end of the run that takes its host down.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def hold_verb(arguments: Namespace) -> int:
    """`hold GUEST…`."""
    local = local_of(arguments)
    for guest, reason in actions.hold(local, arguments.guests, arguments.reason):
        emit(f"{printable(guest.name)}: {printable(reason)}\n")
    return Exit.OK


def forget_verb(arguments: Namespace) -> int:
    """`forget GUEST…`."""
    local = local_of(arguments)
    for guest, text in actions.forget(local, arguments.guests, arguments.reason):
        emit(f"{printable(guest.name)}: {text}\n")
    return Exit.OK


def release_verb(arguments: Namespace) -> int:
    """`release GUEST…`."""
    local = local_of(arguments)
    for guest, text in actions.release(local, arguments.guests, arguments.reason):
        emit(f"{printable(guest.name)}: {text}\n")
    return Exit.OK
