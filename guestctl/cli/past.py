"""What was: the verbs `why` and `history`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from ..control import queries
from ..control.client import Client
from ..control.replies import PastRunInFull, Trail, past_json
from ..control.requests import Failure, RequestError
from ..model.history import PastGuest
from ..model.overview import Row
from ..model.plan import ending
from ..model.units import show_seconds
from . import present
from .exits import Exit, complain
from .options import client_of, complain_of_blindness
from .sources import connect
from .tables import told_apart
from .text import emit, print_json, printable, when


def why_verb(arguments: Namespace) -> int:
    """`why GUEST`: how things stand, then what led to that."""
    client = client_of(arguments)
    complain_of_blindness(client)
    every, _ = queries.guests(client.facts())
    uris = client.uris if connect(arguments) else None
    listed = [row.id for row in _called(arguments.guest, every)]
    entries = client.trail(arguments.guest, uris, listed)
    rows = _rows(arguments.guest, every, entries)
    if not (rows or entries):
        text = f'cannot say why: nothing is recorded of "{arguments.guest}"'
        raise RequestError(
            Failure.WRONG_REQUEST, f"{text}{_whose(client)}{_near(arguments, every)}"
        )
    # For a user, the trail of the host's guest is not empty but unknown.
    ending = Exit.OK if entries or client.sees_all else Exit.NOT_PERMITTED
    if arguments.json:
        print_json([[entry.source, entry.reason, entry.at] for _, entry in entries])
        return ending
    present.show(rows)
    for line in _trail(entries):
        emit(line)
    if not entries:
        emit(f"nothing is recorded of it yet{_whose(client)}\n")
    return ending


def _rows(name: str, every: list[Row], entries: Trail) -> list[Row]:
    """Guests of this name now, and those that had it."""
    meant = {guest for guest, _ in entries} | {row.id for row in _called(name, every)}
    return [row for row in every if row.id in meant]


def _called(name: str, every: list[Row]) -> list[Row]:
    """Guests of this name now; where there is none, with this UUID: a name may look like one."""
    by_name = [row for row in every if row.name == name]
    return by_name or [row for row in every if row.uuid == name.lower()]


def _near(arguments: Namespace, every: list[Row]) -> str:
    near = queries.near(arguments.guest, every)
    return f'; did you mean "{near}"?' if near else ""


def _trail(entries: Trail) -> Iterator[str]:
    several = len({guest for guest, _ in entries}) > 1
    for guest, entry in entries:
        # One name, several guests in the course of time: say which is meant.
        which = f"{guest.uuid} on {guest.uri}  " if several else ""
        yield f"{when(entry.at)}  {which}{entry.source}  {printable(entry.reason)}\n"


def _whose(client: Client) -> str:
    own = " in this user's ledger; that of the host is root's"
    return "" if client.is_hosts else own


def history_verb(arguments: Namespace) -> int:
    """`history [GUEST…]`."""
    client = client_of(arguments)
    runs = client.history(arguments.count, arguments.guests)
    if arguments.json:
        print_json([past_json(past) for past in runs])
    else:
        for past in runs:
            emit("".join(f"{printable(line)}\n" for line in _run_lines(past)))
    if not runs:
        of = f" of {', '.join(arguments.guests)}" if arguments.guests else ""
        complain(f"no run{of} is recorded yet{_whose(client)}")
    return Exit.OK if runs or client.sees_all else Exit.NOT_PERMITTED


def _run_lines(past: PastRunInFull) -> Iterator[str]:
    run = past.run
    end = "under way" if past.under_way else "cut off"
    if run.ended is not None:
        took = show_seconds((run.ended - run.begun) / 1e9)
        end = f"{took}, {'well' if run.ok else 'not all well'}"
    yield f"{when(run.begun)}  run {run.id}: {run.kind} ({run.trigger}), {end}"
    if run.actor:
        yield f"    by {run.actor}"
    names = told_apart((guest.id, guest.name) for guest in past.guests)
    for guest in past.guests:
        yield f"    {names[guest.id]}: {_outcome(guest)}"


def _outcome(guest: PastGuest) -> str:
    took = ""
    if guest.begun is not None and guest.ended is not None:
        took = f" after {show_seconds((guest.ended - guest.begun) / 1e9)}"
    if not guest.reason:
        return guest.outcome + took
    return (
        ending(guest.outcome, guest.reason)
        if not took
        else f"{guest.outcome}{took}: {guest.reason}"
    )
