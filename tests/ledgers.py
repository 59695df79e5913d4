"""Changes of a ledger, in the words of tests: those of model/record.py, as guestctl makes them."""

from __future__ import annotations

import itertools
from functools import partial

from guestctl.ledger.ledger import Ledger
from guestctl.model import record as records
from guestctl.model.guest import GuestFacts, GuestId
from guestctl.model.instant import Clock, Instant
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from guestctl.model.stop import StoppedBy, Verdict
from guestctl.model.update import Update
from tests.unit.makers import BOOT

DONE = StepResult(Step.SAVE, StepEnd.DONE, 1.0)


def instant(ns: int, boot: str = BOOT) -> Instant:
    """So many nanoseconds after the epoch, and after the host's boot."""
    return Instant(ns, boot, ns, ns)


def clock(boot: str = BOOT) -> Clock:
    """A clock that ticks each time it is read."""
    return map(partial(instant, boot=boot), itertools.count(1)).__next__


def record_of(ledger: Ledger, facts: GuestFacts) -> GuestRecord:
    """What the ledger says of the guest."""
    return ledger.guests()[facts.id]


def a_run(
    ledger: Ledger, kind: RunKind = RunKind.PRESERVE, trigger: Trigger = Trigger.COMMAND
) -> int:
    """A run that was begun."""
    return ledger.runs.begin(kind, trigger, BOOT)


def end(ledger: Ledger, run: int, *guests: GuestResult) -> None:
    """The run is over."""
    ledger.runs.end(RunResult(RunKind.PRESERVE, run, guests))
    ledger.prune()


def want(ledger: Ledger, guest: GuestFacts, wanted: Wanted, by: StoppedBy | None = None) -> None:
    """Somebody decided whether it should run; by: whose word, or whose stop, made it off."""
    if wanted is Wanted.ON:
        ledger.note(guest, lambda it: records.asked_for(it, BOOT))
        return
    who, now = by or StoppedBy.OPERATOR, ledger.now()
    ledger.note(guest, lambda record: records.turned_off(record, who, now))


def judge(ledger: Ledger, guest: GuestFacts, wanted: Wanted, verdict: Verdict) -> None:
    """It was stopped."""
    now = ledger.now()
    ledger.note(guest, lambda record: records.stopped(record, wanted, verdict, now))
    ledger.apply(Update(guest.id, verdict=verdict))


def taking_down(ledger: Ledger, guest: GuestFacts) -> None:
    """A run is about to take it down for the host's sake."""
    now = ledger.now()
    ledger.change(guest.id, lambda record: records.taking_down(record, now))


def hold(ledger: Ledger, guest: GuestFacts, reason: str | None, *, for_save: bool = False) -> None:
    """Hold it for a reason, or release it with None."""
    if reason is None:
        ledger.note(guest, records.released)
        return
    ledger.note(guest, lambda record: records.held(record, reason, for_save=for_save))


def begins_to_settle(ledger: Ledger, guest: GuestId, boot: str) -> None:
    """It was turned off just now, in this boot."""
    ledger.change(guest, lambda record: records.begins_to_settle(record, boot))
