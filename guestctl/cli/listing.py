"""The verb `list`: a line for each guest, and below the table what needs more words."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator

from ..control import queries
from ..model.overview import NextBoot, Row
from ..model.plan import ending
from ..model.record import Wanted
from ..model.report import names
from ..model.stop import Certainty
from ..model.text import argument
from .exits import exit_of
from .metadata import complain_of_metadata
from .options import client_of, complain_of_blindness, say_unused_of_host
from .problems import list_problems
from .tables import told_apart
from .text import ago, emit, print_json, print_table, printable, when


def list_verb(arguments: Namespace) -> int:
    """`list [GUEST…]`."""
    if arguments.problems:
        return list_problems(arguments)
    client = client_of(arguments)
    complain_of_blindness(client)
    say_unused_of_host(client.config, arguments)
    facts = client.facts()
    complain_of_metadata(facts)
    rows, failure = queries.guests(facts)
    chosen = [row for row in queries.named(rows, arguments.guests) if _is_asked_for(row, arguments)]
    if arguments.json:
        print_json([queries.row_json(row) for row in chosen])
    elif arguments.output == "name":
        emit("".join(f"{printable(row.name)}\n" for row in chosen))
    elif arguments.output == "wide":
        print_table(_WIDE, list(_wide_lines(chosen)), whole=True)
    else:
        print_table(_USUAL, list(_lines(chosen, time.time_ns())), below(chosen))
    return exit_of(failure)


def _is_asked_for(row: Row, arguments: Namespace) -> bool:
    states: list[str] = arguments.states
    return (not states or row.state in states) and (row.held is not None or not arguments.held)


_USUAL = ("NAME", "STATE", "WANTED", "SAVED", "NEXT BOOT", "STOPPED BY")
_WIDE = (
    *("NAME", "STATE", "UP SINCE", "WANTED", "SAVED", "AUTOSTART", "STOPPED BY"),
    *("NEXT BOOT", "REASON", "HELD, WAITS", "UUID", "CONNECTION"),
)


def _lines(rows: list[Row], now: int) -> Iterator[tuple[str, ...]]:
    names_of = told_apart((row.id, row.name) for row in rows)
    for row in rows:
        yield (
            names_of[row.id],
            row.state,
            row.wanted or "unknown",
            yes(row.saved),
            row.next_boot or "-",
            _stopped_shortly(row, now),
        )


def _wide_lines(rows: list[Row]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        yield (
            row.name,
            row.state,
            when(row.up_since) if row.up_since else "-",
            row.wanted or "unknown",
            yes(row.saved),
            yes(row.autostart),
            stopped(row),
            row.next_boot or "-",
            row.reason,
            row.held or row.waiting or given_up(row) or shed(row) or _unready(row) or "-",
            row.uuid,
            row.uri,
        )


def given_up(row: Row) -> str:
    """That it is not tried any more, why, and what to type; empty where not."""
    again = f"`guestctl start {argument(row.name)}` tries it again"
    return f"given up: {row.given_up}; {again}" if row.given_up else ""


def shed(row: Row) -> str:
    """Since when it is shed, and why; empty where it is not."""
    since = f" since {when(row.stopped_at)}" if row.stopped_at else ""
    return "" if row.shed is None else f"shed{since} ({row.shed})"


def _unready(row: Row) -> str:
    return f"up but unready: {row.unready}" if row.unready else ""


def yes(value: bool | None) -> str:
    """A dash for what could not be read."""
    return "-" if value is None else "yes" if value else "no"


def _stopped_shortly(row: Row, now: int) -> str:
    if not row.stopped_by:
        return "-"
    sure = "" if row.certainty in (None, Certainty.OBSERVED) else f" ({row.certainty})"
    at = f", {ago(row.stopped_at, now)}" if row.stopped_at else ""
    return f"{row.stopped_by}{sure}{at}"


def stopped(row: Row) -> str:
    """By whom, how, how sure that is, when."""
    if not row.stopped_by:
        return "-"
    how = f", {row.stopped_how}" if row.stopped_how else ""
    sure = f" ({row.certainty})" if row.certainty else ""
    at = f" {when(row.stopped_at)}" if row.stopped_at else ""
    return f"{row.stopped_by}{how}{sure}{at}"


def below(rows: list[Row]) -> list[str]:
    """What the columns do not say; guests with the same to say share it."""
    names_of = told_apart((row.id, row.name) for row in rows)
    said: dict[str, list[str]] = {}
    for row in rows:
        for text in remarks(row):
            said.setdefault(text, []).append(names_of[row.id])
    return [f"{names(guests)}: {text}" for text, guests in said.items()]


def remarks(row: Row) -> Iterator[str]:
    """Why it is held, waits or is not ready, and why its next boot is not as it is wanted."""
    if row.held is not None:
        yield ending("held", row.held)
    if row.waiting:
        yield f"waits: {row.waiting}"
    if gone := given_up(row):
        yield gone
    if row.shed is not None:
        yield f"shed ({row.shed}): `guestctl resume` brings it back"
    if row.is_off_by_libvirt_guests:
        yield "off since libvirt-guests was stopped; back by `guestctl start` or the next boot"
    if unready := _unready(row):
        yield unready
    comes_back = row.next_boot in (NextBoot.RESUME, NextBoot.START)
    as_wanted = row.wanted is None or comes_back == (row.wanted is Wanted.ON)
    if row.held is None and not as_wanted:
        yield f"{row.next_boot or 'next boot unknown'}: {row.reason}"
