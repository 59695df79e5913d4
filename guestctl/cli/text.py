"""Small things of which every table and line is made."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Wide enough that nothing is cut for a reader that is a program.
_UNLIMITED = 100_000


def printable(text: str) -> str:
    """The text without what a terminal would obey: a guest's name may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def count_of_guests(number: int) -> str:
    """As in "1 guest" and "2 guests"."""
    return f"{number} guest" if number == 1 else f"{number} guests"


def when(nanoseconds: int) -> str:
    """A time of day of this host's zone."""
    return datetime.fromtimestamp(nanoseconds / 1e9).strftime("%Y-%m-%d %H:%M:%S")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()


def print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns, cut to the terminal where there is one, and never for a pipe."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else _UNLIMITED, highlight=False).print(table)
