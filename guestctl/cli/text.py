"""What every verb prints with: lines, tables, JSON."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .exits import OutputLost
from .exits import printable as printable

#: Wide enough that nothing is cut for a reader that is a program.
_UNLIMITED = 100_000


def when(nanoseconds: int) -> str:
    """A time of day of this host's zone."""
    return datetime.fromtimestamp(nanoseconds / 1e9).strftime("%Y-%m-%d %H:%M:%S")


def emit(text: str) -> bool:
    """Write to stdout, whole; whether somebody reads it.

    A reader that has had enough (`guestctl list | head -1`) is no failure.  OutputLost
    when it is lost otherwise, as on a full disk.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
        return False
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
        reason = f"cannot write the output: {error.strerror}"
        raise OutputLost(reason) from error
    return True


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    # In ASCII: what a stream's encoding lacks must not become an escape that JSON does not know.
    emit(json.dumps(value, indent=2) + "\n")


def print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns, folded to the terminal where there is one, and never for a pipe."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    text, terminal = io.StringIO(), sys.stdout.isatty()
    width = Console().width if terminal else _UNLIMITED
    Console(file=text, width=width, force_terminal=terminal, highlight=False).print(table)
    emit("".join(line.rstrip() + "\n" for line in text.getvalue().splitlines()))
