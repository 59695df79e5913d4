"""What acts on guests, or on what is known of them: preserve, shutdown, start, hold, release."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from ..config.config import Config
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId, State
from ..model.history import Note
from ..model.options import SaveDecision
from ..model.plan import RunKind
from ..model.ports import LockHeld
from ..model.record import Wanted, asked_for, held, released
from ..model.report import Listener
from ..model.result import RunResult, Trigger
from ..runs.context import Context, Inventory, read_all
from ..runs.preserve import preserve
from ..runs.restore import restore
from .local import Local, refuse_unreachable
from .requests import Failure, Named, RequestError, find

#: Whoever looks whether there is a run has the lock for a moment.
A_GLANCE = 1.0
#: The reason of a hold for which nobody gave one, and what its trail says of every hold.
HELD = "held by the operator"


@dataclass(frozen=True)
class Down:
    """Take guests down: these, or all that are up where none is named.

    within: seconds that it may take in all, instead of [shutdown] deadline, since `begun` on the
    monotonic clock.
    """

    kind: RunKind
    names: Sequence[str]
    begun: float
    within: float | None = None
    note: Note | None = None


@dataclass(frozen=True)
class Up:
    """Start or resume guests: these, or all that are wanted on where none is named.

    decision: what a person decided about their saves.
    """

    names: Sequence[str]
    decision: SaveDecision | None = None
    note: Note | None = None


@dataclass(frozen=True)
class Shown:
    """Who is told of a run, what it is called for whoever comes second, and whether progress of
    saves is shown."""

    listener: Listener
    what: str
    follows_progress: bool = False


def take_down(local: Local, request: Down, shown: Shown) -> RunResult:
    """`shutdown`, with --preserve or without.  RequestError where it cannot begin."""
    config = _with_deadline(local.config, request.within)
    kind, trigger = request.kind, Trigger.COMMAND

    async def work(context: Context) -> RunResult:
        async with _begun(local, context, request.names, shown) as (inventory, named):
            begun, note = request.begun, request.note
            return await preserve(context, config, kind, trigger, inventory, named, begun, note)

    return _act(local, work, shown)


def bring_up(local: Local, request: Up, shown: Shown) -> RunResult:
    """`start`.  RequestError where it cannot begin."""
    config, decision, note = local.config, request.decision, request.note

    async def work(context: Context) -> RunResult:
        async with _begun(local, context, request.names, shown) as (inventory, named):
            return await restore(
                context, config, Trigger.COMMAND, inventory, named, decision, note=note
            )

    return _act(local, work, shown)


def _with_deadline(config: Config, within: float | None) -> Config:
    """The configuration with the deadline that the request gives."""
    deadline = within or config.shutdown.deadline
    return replace(config, shutdown=replace(config.shutdown, deadline=deadline))


def _act(local: Local, work: Callable[[Context], Awaitable[RunResult]], shown: Shown) -> RunResult:
    local.refuse_to_act()
    return local.act(work, shown.listener, follows_progress=shown.follows_progress)


@contextlib.asynccontextmanager
async def _begun(
    local: Local, context: Context, names: Sequence[str], shown: Shown
) -> AsyncIterator[tuple[Inventory, frozenset[GuestId] | None]]:
    """Under the run lock: all guests, and those of them that are named."""
    async with contextlib.AsyncExitStack() as lock:
        try:
            await lock.enter_async_context(local.lock.hold(shown.what, A_GLANCE))
        except LockHeld as error:
            raise RequestError(Failure.LOCKED, str(error)) from error
        inventory = await read_all(context.hypervisors)
        refuse_unreachable(inventory, local.uris)
        for reason in inventory.lost_reasons.values():
            local.complain(reason)
        listed = [Named(guest.id, guest.name) for guest in inventory.guests]
        yield inventory, find(names, listed) if names else None


# What only writes to the ledger

Marked = list[GuestFacts]


def hold(local: Local, names: Sequence[str], note: Note | None) -> Marked:
    """Never have guests started by guestctl until they are released."""
    reason = note.text if note else HELD

    def mark(ledger: Ledger, guest: GuestFacts) -> None:
        ledger.note(guest, lambda record: held(record, reason))
        if note:
            ledger.trail.add(guest.id, *note)
        ledger.trail.add(guest.id, "guestctl:hold", HELD)

    return _mark(local, names, mark)


def release(local: Local, names: Sequence[str], note: Note | None) -> Marked:
    """End holds.  Whatever kept a guest down, by a person's word or by its user's, does so no
    more."""

    def mark(ledger: Ledger, guest: GuestFacts) -> None:
        ledger.note(guest, released)
        record = ledger.guest(guest.id)
        if guest.persistent and not (record and record.wanted is Wanted.ON):
            ledger.note(guest, asked_for)
        if note:
            ledger.trail.add(guest.id, *note)
        ledger.trail.add(guest.id, "guestctl:release", "released by the operator: it is wanted on")

    return _mark(local, names, mark)


def _mark(local: Local, names: Sequence[str], mark: Callable[[Ledger, GuestFacts], None]) -> Marked:
    """Write the same to the ledger for every guest named, or for none of them."""
    local.refuse_to_act()
    inventory = asyncio.run(local.read())

    def write(ledger: Ledger) -> Marked:
        guests = _find(names, inventory, ledger)
        for guest in guests:
            mark(ledger, guest)
        return guests

    return local.write_ledger(write)


def _find(names: Sequence[str], inventory: Inventory, ledger: Ledger) -> Marked:
    """The guests named: of libvirt's, or of those known to be behind a lost connection."""
    facts = {guest.id: guest for guest in inventory.guests}
    for record in ledger.guests().values():
        if record.id.uri in inventory.lost:
            facts.setdefault(record.id, GuestFacts(record.id, record.name, State.UNKNOWN))
    found = find(names, [Named(guest.id, guest.name) for guest in facts.values()])
    return sorted((facts[guest] for guest in found), key=lambda guest: guest.name)
