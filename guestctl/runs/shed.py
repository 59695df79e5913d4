"""Guests that are shed, as runs that bring guests back find them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..decisions.shedding import shed_now
from ..ledger.ledger import Ledger
from ..model.guest import GuestFacts, GuestId
from ..model.plan import Step
from ..model.record import GuestRecord, shed_no_more
from ..model.report import Trouble
from ..model.result import Trigger
from .context import Context
from .live_guest import LiveGuest
from .run import Run

#: Runs that nobody asked for, and that begin with whoever is wanted on.
_OF_ITSELF = (Trigger.BOOT, Trigger.CANCELLED)
NOBODY_GOES: Mapping[GuestId, Step] = {}
#: Seconds for what a process that was killed had asked libvirt for to show.
A_MOMENT = 10.0
_NOBODY: frozenset[GuestId] = frozenset()


async def left_shed(
    context: Context, trigger: Trigger, records: Mapping[GuestId, GuestRecord]
) -> frozenset[GuestId]:
    """Whom such a restore leaves alone: they are shed, and their host has been up since.

    After a soft-reboot nobody is shed any more, though the boot's id is the same.
    """
    shed = shed_now(records, context.boot) if trigger in _OF_ITSELF else _NOBODY
    if not shed or trigger is not Trigger.BOOT:
        return shed

    def end(ledger: Ledger) -> frozenset[GuestId]:
        if ledger.runs.host_stop(context.boot) is None:
            return shed
        for guest in shed:
            ledger.change(guest, shed_no_more)
        return _NOBODY

    return await context.ledger(end, shed)


async def what_comes_of(run: Run, guest: GuestFacts, step: Step) -> GuestFacts | None:
    """The guest once it is down or being saved, or has stayed up for long enough; None where
    libvirt does not list it any more.

    step: what a run that was cut off had begun, in order to take it down.
    """
    context, shutdown = run.context, run.policy(guest).shutdown
    context.tell(Trouble(f"{guest.name}: waiting whether it goes down: its {step} was cut off"))
    asked = min(shutdown.shutdown_timeout, shutdown.deadline)
    live = LiveGuest(guest, context.hypervisors[guest.id.uri])
    await live.wait_until(_goes_down, asked if step is Step.SHUTDOWN else A_MOMENT)
    facts = await live.observe()
    if facts is not None and not _goes_down(facts):
        await note_up(context, [facts])
    return facts


def _goes_down(facts: GuestFacts | None) -> bool:
    return facts is None or facts.down or facts.saving


async def note_up(context: Context, guests: Collection[GuestFacts]) -> None:
    """They are up, and nothing is under way that is to take them down."""

    def note(ledger: Ledger) -> None:
        for guest in guests:
            ledger.note_up(guest, context.boot)

    await context.ledger(note, None)
