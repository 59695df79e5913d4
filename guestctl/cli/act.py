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
from .display import choose_display
from .exits import Exit
from .options import command_line, local_of, note_of
from .results import print_result
from .text import emit, printable


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve [GUEST…]`, `shutdown GUEST…`, `shutdown --all`."""
    begun = time.monotonic()
    local = local_of(arguments)
    kind = RunKind.PRESERVE if arguments.preserve else RunKind.SHUTDOWN
    note = note_of(arguments, local)
    request = Down(kind, arguments.guests, begun, arguments.within, note)
    return _run(arguments, lambda shown: actions.take_down(local, request, shown))


def start_verb(arguments: Namespace) -> int:
    """`start [GUEST…]`."""
    local = local_of(arguments)
    request = Up(arguments.guests, arguments.decision, note_of(arguments, local))
    return _run(arguments, lambda shown: actions.bring_up(local, request, shown))


def _run(arguments: Namespace, act: Callable[[Shown], RunResult]) -> int:
    """One run, shown as asked for; its exit status."""
    take_signals()
    with choose_display(arguments) as display:
        result = act(Shown(display, command_line(), display.follows_progress))
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
    reason: str = arguments.reason or actions.HELD
    for guest in actions.hold(local, arguments.guests, note_of(arguments, local)):
        emit(f"{printable(guest.name)}: held: {printable(reason)}\n")
    return Exit.OK


def release_verb(arguments: Namespace) -> int:
    """`release GUEST…`."""
    local = local_of(arguments)
    note = note_of(arguments, local)
    for guest in actions.release(local, arguments.guests, note):
        emit(f"{printable(guest.name)}: released, and wanted on\n")
    return Exit.OK
