"""The verbs that only write to the ledger: hold and release."""

from __future__ import annotations

import asyncio
import contextlib
import time
from argparse import Namespace
from collections.abc import Callable

from ..cli.exits import CommandError, Exit
from ..cli.text import emit, printable
from ..ledger.file import TROUBLE, connect, transaction
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId, State
from ..model.history import Note
from ..model.record import Wanted
from ..runs.context import Inventory, read_all
from . import local as common


def hold_verb(arguments: Namespace) -> int:
    """`hold GUEST…`."""
    reason: str = arguments.reason or "held by the operator"
    guests = _mark(arguments, lambda ledger, guest: _hold(ledger, guest, reason))
    for guest in guests:
        emit(f"{printable(guest.name)}: held: {printable(reason)}\n")
    return Exit.OK


def release_verb(arguments: Namespace) -> int:
    """`release GUEST…`."""
    note = common.note(arguments)
    for guest in _mark(arguments, lambda ledger, guest: _release(ledger, guest, note)):
        emit(f"{printable(guest.name)}: released, and wanted on\n")
    return Exit.OK


def _hold(ledger: Ledger, guest: GuestFacts, reason: str) -> None:
    ledger.hold(guest, reason)
    ledger.trail.add(guest.id, "guestctl:hold", reason)


def _release(ledger: Ledger, guest: GuestFacts, note: Note | None) -> None:
    """Whatever kept it down, by a person's word or by its user's, does so no more."""
    ledger.hold(guest, None)
    known = ledger.guest(guest.id)
    if guest.persistent and not (known and known.wanted is Wanted.ON):
        ledger.want(guest, Wanted.ON)
    if note:
        ledger.trail.add(guest.id, *note)
    ledger.trail.add(guest.id, "guestctl:release", "released by the operator: it is wanted on")


def _mark(arguments: Namespace, mark: Callable[[Ledger, GuestFacts], None]) -> list[GuestFacts]:
    """Write the same to the ledger for every guest named, or for none of them."""
    uris = common.uris(arguments, common.load_config(arguments))
    common.refuse_remote(uris)
    common.refuse_unprivileged(uris)
    seen = asyncio.run(read_all(common.hypervisors(uris, read_only=True)))
    common.complain_of_lost(seen)
    path = common.ledger_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(connect(path)) as db:
            return _mark_in(Ledger(db, time.time_ns), arguments.guests, seen, mark)
    except TROUBLE as error:
        raise CommandError(
            Exit.NOT_ALL_WELL, f"cannot write to the ledger {path}: {error}"
        ) from error


def _mark_in(
    ledger: Ledger,
    names: list[str],
    seen: Inventory,
    mark: Callable[[Ledger, GuestFacts], None],
) -> list[GuestFacts]:
    guests = _find(names, seen, ledger)
    with transaction(ledger.db):
        for guest in guests:
            mark(ledger, guest)
    return guests


def _find(names: list[str], seen: Inventory, ledger: Ledger) -> list[GuestFacts]:
    """The guests named: of libvirt's, or of those known to be behind a lost connection."""
    facts = {guest.id: guest for guest in seen.guests}
    for known in ledger.guests().values():
        if known.id.uri in seen.lost:
            facts.setdefault(known.id, GuestFacts(known.id, known.name, State.UNKNOWN))
    named: list[common.Named] = [common.Named(g.id, g.name) for g in facts.values()]
    found: frozenset[GuestId] = common.find(names, named)
    return sorted((facts[guest] for guest in found), key=lambda guest: guest.name)
