"""From the command line to a verb, and from its end to an exit status."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable
from typing import NoReturn, TextIO

from ..control.failure import Detached, RequestError
from .arguments import parse
from .exits import INTERRUPTED, Exit, OutputLost, complain, exit_of

#: Verbs' modules are imported when needed: `guestctl --help` must be instant.
_VERBS = {
    "shutdown": "act",
    "start": "act",
    "shed": "shed",
    "resume": "shed",
    "hold": "act",
    "release": "act",
    "forget": "act",
    "attach": "attach",
    "cancel": "attach",
    "reload": "reload",
    "list": "listing",
    "plan": "show",
    "facts": "show",
    "why": "past",
    "history": "past",
    "watch": "watch",
    "check": "check",
    "policy": "policy",
    "import": "importing",
    "status": "status",
    "doctor": "doctor",
    "daemon": "daemon",
    "unit": "units",
    "takeover": "takeover",
    "handback": "takeover",
}


#: What the units of guestctl 0.1 call: systemd can hold one of those still, as when guestctl is
#: upgraded while the host goes down.
_OF_OLD_UNITS = {
    "shutdown --preserve --if-host-stops": ["unit", "guard"],
    "start --boot": ["unit", "fallback"],
    "daemon --claim-autostart": ["unit", "autostart"],
}


def main(argv: list[str]) -> int:
    """Run one command; the exit status."""
    arguments = parse(_OF_OLD_UNITS.get(" ".join(argv), argv))
    module = importlib.import_module(f".{_VERBS[arguments.verb]}", __package__)
    verb: Callable[[Namespace], int] = getattr(module, f"{arguments.verb}_verb")
    try:
        return verb(arguments)
    except RequestError as error:
        complain(str(error))
        return exit_of(error.failure)
    except Detached as leave:
        complain(str(leave))
        return INTERRUPTED
    except OutputLost as error:
        complain(str(error))
        return Exit.NOT_ALL_WELL


def entry() -> NoReturn:
    """The `guestctl` command."""
    sys.stdout, sys.stderr = _usable(sys.stdout), _usable(sys.stderr)
    _leave(_run())


def _usable(stream: TextIO | None) -> TextIO:
    """A stream that takes every name; a command started with `>&-` has none at all."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        # A guest's name may hold what the terminal's encoding lacks.
        stream.reconfigure(errors="backslashreplace")
    return stream


def _run() -> int:
    try:
        return main(sys.argv[1:])
    except SystemExit as leave:  # argparse
        return leave.code if isinstance(leave.code, int) else 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - said, and the process ends as always
        if type(error).__name__ != "CancelledError":  # asyncio's, which is slow to import
            traceback.print_exc()
            return Exit.NOT_ALL_WELL
        return INTERRUPTED


def _leave(status: int) -> NoReturn:
    """End at once.

    libvirt closes connections as Python tears down, which waits for a daemon that hangs.
    """
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the reader has had enough
    except OSError:
        status = status or Exit.NOT_ALL_WELL
    os._exit(status)
