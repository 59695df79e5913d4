"""Runs that somebody asks for, in whichever process: what they go by, and the run itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..config.config import Config
from ..decisions.profiles import own_deadline, under, why_unknown
from ..model.guest import GuestId
from ..model.history import Actor, Note, PastGuest
from ..model.plan import RunKind
from ..model.ports import LockHeld, RunLock
from ..model.result import RunResult, Trigger
from ..runs.context import Context, Inventory, read_all
from ..runs.preserve import preserve
from ..runs.restore import restore
from .local import refuse_unreachable
from .requests import (
    Down,
    Failure,
    Named,
    RequestError,
    Up,
    Who,
    find,
    refuse_unknown_profile,
)

#: Whoever looks whether there is a run has the lock for a moment.
A_GLANCE = 1.0
#: How it begins what the run lock says of a run that sheds guests, and that `resume` calls off.
SHEDS = "shed: "


@dataclass(frozen=True)
class Asked:
    """Who asks for a run, and what else it needs of the process that it goes on in.

    lock: one run at a time.  complain: told of what goes wrong and ends nothing.
    keep_stop_deadline: told by when, on the monotonic clock, a person wants the host's stop to be
    through; None: they say so no longer.
    """

    actor: Actor
    lock: RunLock
    complain: Callable[[str], None]
    keep_stop_deadline: Callable[[float | None], None]


class Prepared(NamedTuple):
    """config: with the profile and the deadline of the request.  within: the seconds that are
    given by the request, or by the profile's own deadline; None where by neither."""

    config: Config
    within: float | None


def prepare(
    config: Config, request: Down, complain: Callable[[str], None], *, makeshift: bool
) -> Prepared:
    """What such a run goes by.  RequestError where there is no profile of the name.

    makeshift: the configuration is in place of one that has mistakes, for which the profile may be
    missing: guests are taken to safety all the same.
    """
    profile = request.profile
    if request.kind is RunKind.SHUTDOWN or not makeshift:
        refuse_unknown_profile(config, profile)
    elif profile and (reason := why_unknown(config, profile)):
        complain(f"{reason}; the usual settings are used")
    within = request.within or own_deadline(config, profile)
    return Prepared(_with_deadline(under(config, profile), within), within)


def _with_deadline(config: Config, within: float | None) -> Config:
    deadline = within or config.shutdown.deadline
    return replace(config, shutdown=replace(config.shutdown, deadline=deadline))


async def down(context: Context, prepared: Prepared, request: Down, asked: Asked) -> RunResult:
    """Take guests down, under the run lock.  RequestError where it cannot begin."""
    config, kind, begun = prepared.config, request.kind, request.begun
    note = note_of(asked.actor, request.reason)
    async with _begun(context, asked, request.names, what=_what(request)) as (inventory, named):
        if request.sheds:
            from .shedding import shed

            return await shed(context, config, request, inventory, named, note)
        if kind is RunKind.PRESERVE and named is None:
            asked.keep_stop_deadline(prepared.within and begun + prepared.within)
        return await preserve(
            *(context, config, kind, Trigger.COMMAND, inventory, named, begun, note),
            without_ledger=request.without_ledger,
        )


async def up(context: Context, config: Config, request: Up, asked: Asked) -> RunResult:
    """Bring guests up, under the run lock.  RequestError where it cannot begin."""
    note, decision = note_of(asked.actor, request.reason), request.decision
    ends = SHEDS if request.shed else ""
    begun = _begun(context, asked, request.names, patterns=True, ends=ends)
    async with begun as (inventory, named):
        if request.shed:
            from .shedding import resume

            return await resume(context, config, inventory, named, note)
        if request.run is not None:
            named = await _taken_down_by(context, request.run, inventory)
        asked.keep_stop_deadline(None)  # who starts a guest is not in a hurry any more
        return await restore(
            context, config, Trigger.COMMAND, inventory, named, decision, note=note
        )


@contextlib.asynccontextmanager
async def _begun(
    context: Context,
    asked: Asked,
    names: Sequence[Who],
    *,
    patterns: bool = False,
    what: str = "",
    ends: str = "",
) -> AsyncIterator[tuple[Inventory, frozenset[GuestId] | None]]:
    """Under the run lock: all guests, and those of them that are named.

    patterns: not for what takes guests down, where one too many hurts.
    what: said before whose run it is, to those that come second.  ends: see RunLock.
    """
    async with contextlib.AsyncExitStack() as lock:
        try:
            held = asked.lock.hold(f"{what}{asked.actor}", A_GLANCE, ends=ends)
            await lock.enter_async_context(held)
        except LockHeld as error:
            raise RequestError(Failure.LOCKED, str(error)) from error
        inventory = await read_all(context.hypervisors)
        refuse_unreachable(inventory, context.hypervisors)
        for reason in inventory.lost_reasons.values():
            asked.complain(reason)
        listed = [Named(guest.id, guest.name) for guest in inventory.guests]
        yield inventory, find(names, listed, patterns=patterns) if names else None


def _what(request: Down) -> str:
    return SHEDS if request.sheds else ""


async def _taken_down_by(context: Context, run: int, inventory: Inventory) -> frozenset[GuestId]:
    """The guests that are off because of that run; those that are no more are left out."""
    nothing: list[PastGuest] = []
    past = await context.ledger(lambda ledger: ledger.runs.guests(run), nothing)
    if not past:
        text = f"cannot start the guests of run {run}: no guests of such a run are recorded"
        raise RequestError(Failure.WRONG_REQUEST, text)
    there = {guest.id for guest in inventory.guests}
    return frozenset(one.id for one in past if one.is_off and one.id in there)


def note_of(actor: Actor, reason: str | None) -> Note:
    """Who asked for it, for the reason trail of each guest that it is about."""
    where = actor.where
    if reason and where:
        where = f" ({where.strip()})"  # no part of the person's own words
    return Note(f"operator:{actor.user}", f"{reason or actor.command}{where}")
