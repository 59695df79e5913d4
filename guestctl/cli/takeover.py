"""The verbs `takeover` and `handback`: who is in charge of the host's guests."""

from __future__ import annotations

import contextlib
from argparse import Namespace

from ..control.configured import load_config, load_in_time
from ..control.takeover.handing_back import hand_back
from ..control.takeover.interrupts import Interrupted
from ..control.takeover.taking_over import take_over
from .exits import INTERRUPTED, Exit, OutputLost, complain
from .text import emit, printable


def takeover_verb(arguments: Namespace) -> int:
    """`takeover`; 0 also where all was so already."""
    loaded = load_config(None, complain, strict=not arguments.force)
    dry_run = arguments.dry_run
    try:
        done = take_over(loaded, _say, dry_run=dry_run, force=arguments.force)
    except Interrupted:
        return _interrupted("")
    if not dry_run:
        _say(_IN_CHARGE if done else "guestctl is in charge of this host's guests already")
    return Exit.OK


_IN_CHARGE = (
    "guestctl is in charge of this host's guests: look with `guestctl doctor` and `guestctl plan`;"
    " `guestctl handback` undoes it"
)


def handback_verb(arguments: Namespace) -> int:
    """`handback`; 0 also where all was so already."""
    config = load_in_time(None).config
    try:
        done = hand_back(config, _say, dry_run=arguments.dry_run)
    except Interrupted:
        return _interrupted("; ask for it again, and it goes on")
    if not done:
        _say("guestctl is not in charge of this host's guests: nothing to hand back")
    elif not arguments.dry_run:
        _say("handed back: guestctl does nothing for this host's guests any more")
    return Exit.OK


def _interrupted(what_then: str) -> int:
    complain(f"told to end{what_then}")
    return INTERRUPTED


def _say(text: str) -> None:
    """A line; what is being switched goes on without a reader."""
    with contextlib.suppress(OutputLost):
        emit(f"{printable(text)}\n")
