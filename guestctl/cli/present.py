"""How things stand with a guest now: what `why` begins with, and `status GUEST…` shows."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator

from ..control import queries
from ..model.overview import Row
from ..model.plan import ending
from .exits import Exit, exit_of
from .listing import given_up, shed, stopped
from .options import client_of, complain_of_blindness
from .tables import told_apart
from .text import ago, emit, print_json, printable, when


def guests_status(arguments: Namespace) -> int:
    """`status GUEST…`; 1 where one of them is held, waited for, or not listed by libvirt."""
    client = client_of(arguments)
    complain_of_blindness(client)
    every, failure = queries.guests(client.facts())
    rows = queries.named(every, arguments.guests)
    if arguments.json:
        print_json([queries.row_json(row) for row in rows])
    else:
        show(rows)
    amiss = any(map(queries.is_amiss, rows))
    return exit_of(failure) or (Exit.NOT_ALL_WELL if amiss else Exit.OK)


def show(rows: list[Row]) -> None:
    """A paragraph for each."""
    names = told_apart((row.id, row.name) for row in rows)
    for row in rows:
        for line in _lines(row, names[row.id], time.time_ns()):
            emit(f"{printable(line)}\n")


def _lines(row: Row, name: str, now: int) -> Iterator[str]:
    yield f"{name}: {row.state}{_since(row, now)}"
    if row.held is not None:
        yield f"    {ending('held', row.held)}"
    if row.waiting:
        yield f"    waits: {row.waiting}"
    if gone := given_up(row):
        yield f"    {gone}"
    if since := shed(row):
        yield f"    {since}; `guestctl resume` brings it back"
    if row.unready:
        yield f"    up but unready: {row.unready}"
    yield f"    wanted {row.wanted or 'unknown'}: {row.why_wanted}"
    yield f"    next boot: {row.next_boot or 'unknown'}: {row.reason}"


def _since(row: Row, now: int) -> str:
    if row.up_since:
        return f", seen up since {when(row.up_since)} ({ago(row.up_since, now)})"
    return f", stopped by {stopped(row)}" if row.stopped_by else ""
