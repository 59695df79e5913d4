"""Which display suits the options, and where stdout goes."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import TextIO

from ..control.requests import Shown
from .display import Display, Lines


@contextlib.contextmanager
def choose_display(arguments: Namespace) -> Iterator[Display]:
    """The display that suits the options and where stdout goes."""
    if arguments.json or arguments.quiet:
        yield Display()
    elif sys.stdout is not None and is_screen(sys.stdout):
        from .live_table import LiveTable  # rich takes its time, and lines need none of it

        with LiveTable() as table:
            yield table
    else:
        yield Lines()


def shown_on(display: Display) -> Shown:
    """A run that this display shows."""
    return Shown(display, display.follows_progress, display.as_of, display.away)


def is_screen(stream: TextIO) -> bool:
    """Whether it is a terminal on which a table can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM", "") not in _DUMB


#: Terminals that know no cursor, as terminfo(5) calls them.
_DUMB = ("", "dumb", "unknown")
