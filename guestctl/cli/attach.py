"""The verbs about the service's run that goes on, whoever began it: attach, cancel."""

from __future__ import annotations

import contextlib
from argparse import Namespace

from ..control.client import Client
from ..control.requests import Failure, RequestError, Shown
from .act import take_signals
from .display import Display
from .exits import Exit
from .options import client_of
from .results import print_result
from .screen import choose_display, shown_on
from .text import when


def attach_verb(arguments: Namespace) -> int:
    """`attach`: 0 when the run has left every guest where it should be."""
    client = client_of(arguments)
    take_signals()
    with choose_display(arguments) as display:
        result = client.attach(shown_on(display))
    if result is None:
        raise _no_run(client)
    print_result(result, arguments)
    return Exit.OK if result.ok else Exit.NOT_ALL_WELL


def cancel_verb(arguments: Namespace) -> int:
    """`cancel`: 0 when the run is over, and so does what it was told."""
    client = client_of(arguments)
    take_signals()
    result = client.cancel(Shown(Display()), mine=arguments.mine)
    if result is None:
        raise _no_run(client)
    print_result(result, arguments)
    return Exit.OK


def _no_run(client: Client) -> RequestError:
    return RequestError(Failure.NOT_ALL_WELL, f"no run is under way in the service{_last(client)}")


def _last(client: Client) -> str:
    """Which run has just ended, for who came too late, or goes on elsewhere."""
    with contextlib.suppress(RequestError):
        for run, *_, under_way in client.history(1):
            what = f"run {run.id}, {run.kind} of {when(run.begun)}"
            if under_way:
                return f"; {what}, goes on in a process of its own: `guestctl history -n 1`"
            return f"; the last was {what}: `guestctl history -n 1`"
    return ""
