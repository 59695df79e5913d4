"""What acts on guests, or on what is known of them: preserve, shutdown, start, hold, release."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, State
from ..model.plan import RunKind
from ..model.record import GuestRecord, Wanted, asked_for, held, released
from ..model.report import tell_all
from ..model.result import RunResult
from ..runs.context import Context, Inventory
from .asked import Asked, down, note_of, prepare, up
from .local import Local
from .log_fields import of_actor, of_guest
from .requests import Down, Failure, Named, RequestError, Shown, Up, Who, find
from .run_journal import RunJournal

logger = logging.getLogger(__name__)


def take_down(local: Local, request: Down, shown: Shown) -> RunResult:
    """`shutdown`, with --preserve or without.  RequestError where it cannot begin."""
    prepared = prepare(local.config, request, local.complain, makeshift=local.makeshift)
    asked = _asked(local)
    return _act(local, lambda context: down(context, prepared, request, asked), shown)


def bring_up(local: Local, request: Up, shown: Shown) -> RunResult:
    """`start`.  RequestError where it cannot begin."""
    config, asked = local.config, _asked(local)
    return _act(local, lambda context: up(context, config, request, asked), shown)


def _asked(local: Local) -> Asked:
    return Asked(local.actor, local.lock, local.complain, local.keep_stop_deadline)


def _act(local: Local, work: Callable[[Context], Awaitable[RunResult]], shown: Shown) -> RunResult:
    local.refuse_to_act()
    actor, follows = local.actor, shown.follows_progress
    listener = tell_all(shown.listener, RunJournal(actor))
    with local.journal():
        return local.act(work, listener, follows_progress=follows, actor=actor)


# What only writes to the ledger

#: Guests, and what is said of each.
Marked = list[tuple[GuestFacts, str]]


def hold(local: Local, names: Sequence[Who], reason: str | None) -> Marked:
    """Never have guests started by guestctl until they are released."""
    actor = local.actor
    why = f"held by {actor.user}{': ' if reason else ''}{reason or ''}"

    def mark(ledger: Ledger, guest: GuestFacts) -> str:
        ledger.note(guest, lambda record: held(record, why))
        ledger.trail.add(guest.id, *note_of(actor, reason))
        ledger.trail.add(guest.id, "guestctl:hold", why)
        return why

    return _mark(local, names, mark)


def release(local: Local, names: Sequence[Who], reason: str | None) -> Marked:
    """End holds.  Whatever kept a guest down, by a person's word or by its user's, does so no
    more."""
    actor = local.actor

    boot = local.boot

    def mark(ledger: Ledger, guest: GuestFacts) -> str:
        _refuse_in_hand(local, ledger, guest)
        before = ledger.guest(guest.id)
        ledger.note(guest, released)
        if guest.persistent and not (before and before.wanted is Wanted.ON):
            ledger.note(guest, lambda it: asked_for(it, boot))
        text = _what_release_did(before)
        ledger.trail.add(guest.id, *note_of(actor, reason))
        ledger.trail.add(guest.id, "guestctl:release", text)
        return text

    return _mark(local, names, mark)


def _refuse_in_hand(local: Local, ledger: Ledger, guest: GuestFacts) -> None:
    """A guest that is just shut down ends off: to say meanwhile that it is wanted on is in vain."""
    in_hand = ledger.runs.in_hand(local.boot, RunKind.SHUTDOWN)
    if guest.id in in_hand and local.lock.is_held():
        text = f"cannot release {guest.name}: a run is just shutting it down; say so when it is off"
        raise RequestError(Failure.LOCKED, text)


def forget(local: Local, names: Sequence[Who], reason: str | None) -> Marked:
    """Nothing is wanted any more of guests that libvirt does not list; only their trails stay.

    RequestError for one that it lists, or that it cannot be asked of.
    """
    local.refuse_to_act()
    inventory, actor = asyncio.run(local.read()), local.actor
    text = "forgotten: nothing is wanted of it any more"

    def write(ledger: Ledger) -> Marked:
        found = [(guest, text) for guest in _not_listed(names, inventory, ledger)]
        for guest, _ in found:
            ledger.forget(guest.id)
            ledger.trail.add(guest.id, *note_of(actor, reason))
            ledger.trail.add(guest.id, "guestctl:forget", text)
        return found

    return _say(local, local.write_ledger(write))


def _not_listed(names: Sequence[Who], inventory: Inventory, ledger: Ledger) -> list[GuestFacts]:
    listed = {guest.id for guest in inventory.guests}
    facts = {it.id: GuestFacts(it.id, it.name, State.UNKNOWN) for it in ledger.guests().values()}
    found = find(names, [Named(guest.id, guest.name) for guest in facts.values()])
    for guest in found:
        if guest in listed:
            text = "libvirt lists it: undefine it, or `guestctl hold` it"
            raise RequestError(Failure.WRONG_REQUEST, f"cannot forget {facts[guest].name}: {text}")
        if guest.uri in inventory.lost:
            text = f"cannot forget {facts[guest].name}: {inventory.lost[guest.uri]}"
            raise RequestError(Failure.NO_HYPERVISOR, text)
    return sorted((facts[guest] for guest in found), key=lambda guest: guest.name)


def _what_release_did(before: GuestRecord | None) -> str:
    was_held = before is not None and before.hold is not None
    already = before is not None and before.wanted is Wanted.ON
    if was_held:
        return "released, and wanted on"
    return f"was not held; {'it is wanted on already' if already else 'wanted on from now on'}"


def _mark(local: Local, names: Sequence[Who], mark: Callable[[Ledger, GuestFacts], str]) -> Marked:
    """Write the same to the ledger for every guest named, or for none of them."""
    local.refuse_to_act()
    inventory = asyncio.run(local.read())

    def write(ledger: Ledger) -> Marked:
        return [(guest, mark(ledger, guest)) for guest in _find(names, inventory, ledger)]

    return _say(local, local.write_ledger(write))


def _say(local: Local, marked: Marked) -> Marked:
    """In the journal."""
    actor = local.actor
    with local.journal():
        for guest, text in marked:
            about = of_guest(guest.name, guest.id) | of_actor(actor)
            logger.info(f"{guest.name}: {text} ({actor})", extra=about)
    return marked


def _find(names: Sequence[Who], inventory: Inventory, ledger: Ledger) -> list[GuestFacts]:
    """The guests named: of libvirt's, or of those known to be behind a lost connection."""
    facts = {guest.id: guest for guest in inventory.guests}
    for record in ledger.guests().values():
        if record.id.uri in inventory.lost:
            facts.setdefault(record.id, GuestFacts(record.id, record.name, State.UNKNOWN))
    found = find(names, [Named(guest.id, guest.name) for guest in facts.values()], patterns=True)
    return sorted((facts[guest] for guest in found), key=lambda guest: guest.name)
