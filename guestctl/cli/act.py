"""The verbs that act: shutdown, start, hold, release."""

from __future__ import annotations

import contextlib
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Collection

from ..control.replies import PastRunInFull, Said
from ..control.requests import Down, RequestError, Shown, Up
from ..model.guest import GuestId
from ..model.plan import Outcome, RunKind
from ..model.report import names
from ..model.result import RunResult
from .exits import Exit
from .options import client_of, seconds_of
from .results import print_result
from .screen import choose_display, shown_on
from .text import emit, printable, when


def shutdown_verb(arguments: Namespace) -> int:
    """`shutdown --preserve [GUEST…]`, `shutdown GUEST…`, `shutdown --all`."""
    begun = time.monotonic()
    client = client_of(arguments)
    kind = RunKind.PRESERVE if arguments.preserve else RunKind.SHUTDOWN
    within, profile = seconds_of(arguments, client.config), arguments.profile
    said, forced = (within, arguments.reason, profile), arguments.without_ledger
    request = Down(kind, arguments.guests, begun, *said, without_ledger=forced)
    result = carry_out(arguments, lambda shown: client.take_down(request, shown))
    if kind is RunKind.SHUTDOWN and not (arguments.json or arguments.quiet):
        _say_undo(result)
    return status_of(result)


def start_verb(arguments: Namespace) -> int:
    """`start [GUEST…]`."""
    client = client_of(arguments)
    request = Up(arguments.guests, arguments.decision, arguments.reason, arguments.run)
    result = carry_out(arguments, lambda shown: client.bring_up(request, shown))
    if not (result.guests or arguments.json or arguments.quiet):
        with contextlib.suppress(RequestError):  # said already, and the run has ended
            past = client.history(1, kind=RunKind.SHUTDOWN)
            _say_where_they_went(past, client.wanted_off())
    return status_of(result)


def carry_out(arguments: Namespace, act: Callable[[Shown], RunResult]) -> RunResult:
    """One run, shown as asked for."""
    take_signals()
    with choose_display(arguments) as display:
        result = act(shown_on(display))
    print_result(result, arguments)
    return result


def status_of(result: RunResult) -> Exit:
    """What a command ends with after such a run."""
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


def _say_undo(result: RunResult) -> None:
    off = [g.name for g in result.guests if g.outcome in (Outcome.SHUT_DOWN, Outcome.POWERED_OFF)]
    if off and result.run is not None:
        emit(f"off from now on: {printable(names(off))}; {_undo(result.run)}\n")


def _say_where_they_went(past: list[PastRunInFull], wanted_off: Collection[GuestId]) -> None:
    """Nobody was wanted on and down: the newest shutdown may be why."""
    for run, guests, *_ in past:
        off = [guest.name for guest in guests if guest.is_off and guest.id in wanted_off]
        if off:
            at = when(run.begun)
            emit(
                f"wanted off since run {run.id} of {at}: {printable(names(off))}; {_undo(run.id)}\n"
            )


def _undo(run: int) -> str:
    return f"to bring just those back: guestctl start --run {run}"


def take_signals() -> None:
    """Before a run: SIGTERM ends it as Ctrl-C does, also before it has a handler of its own."""
    # The end of a terminal is not the end of the run that takes its host down.  Not SIG_IGN: that
    # says that whoever started us wants us to be there until the end (nohup(1)).
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def hold_verb(arguments: Namespace) -> int:
    """`hold GUEST…`."""
    return _say(client_of(arguments).hold(arguments.guests, arguments.reason))


def forget_verb(arguments: Namespace) -> int:
    """`forget GUEST…`."""
    return _say(client_of(arguments).forget(arguments.guests, arguments.reason))


def release_verb(arguments: Namespace) -> int:
    """`release GUEST…`."""
    return _say(client_of(arguments).release(arguments.guests, arguments.reason))


def _say(said: Said) -> Exit:
    for name, text in said:
        emit(f"{printable(name)}: {printable(text)}\n")
    return Exit.OK
