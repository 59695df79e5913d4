"""Stops that settle: what the host's end makes of them, and what its staying up does.

decisions/settling.py has the rules; here is when they are applied.
"""

from __future__ import annotations

import asyncio
import logging

from ..control.log_fields import REASON, of_guest
from ..decisions import settling
from ..ledger.ledger import Ledger
from ..model.record import GuestRecord, settled
from ..model.stop import Certainty, StoppedBy, Verdict
from .state import ServiceState
from .waiting import end_all

logger = logging.getLogger(__name__)

#: Until a stop that could not be written down as meant is tried again.
AGAIN = 60.0


def host_goes_down(ledger: Ledger, boot: str) -> None:
    """Guests that somebody stopped just before come back: it was the host's doing."""
    for record in ledger.settling(boot):
        if update := settling.host_goes_down(record):
            ledger.apply(update)


def host_stays_up_after_all(ledger: Ledger, boot: str) -> None:
    """The shutdown was cancelled: those guests were stopped by somebody, and stay down."""
    for record in ledger.settling(boot):
        if update := settling.host_stays_up(record, ledger.trail.newest_verdict(record.id)):
            ledger.apply(update)


def host_stayed_up(ledger: Ledger, stopped: GuestRecord) -> None:
    """The settle time of this stop is over."""
    record = ledger.guest(stopped.id)
    if record is None:
        return
    if (record.settling, record.stopped_at) == (stopped.settling, stopped.stopped_at):
        ledger.put(settling.time_is_over(record, ledger.trail.newest_verdict(record.id)))


def settle_old(ledger: Ledger, boot: str, settle: float) -> None:
    """The same for all stops that are older than settle seconds.

    For when nobody was there at the right time.
    """
    for record in ledger.settling(boot):
        if settling.remaining(record, settle, ledger.now()) <= 0:
            ledger.change(record.id, settled)


class Settling:
    """Waits, for each guest that was stopped, until that has settled.

    host_goes_down: set while that is so: nobody's stop settles then.
    """

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._waiting: set[asyncio.Task[None]] = set()
        self.host_goes_down = False

    def begin(self, record: GuestRecord) -> None:
        """The guest was stopped just now."""
        reason = "wanted off, unless the host goes down within [shutdown] settle"
        say_stopped(record, reason)
        waiting = asyncio.create_task(self._wait(record))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    async def take_up(self) -> None:
        """Those whose settle time an earlier process of the service has begun."""
        nobody: list[GuestRecord] = []
        boot = self._state.boot
        records = await self._state.context.ledger(lambda ledger: ledger.settling(boot), nobody)
        for record in records:
            self.begin(record)

    async def take_back(self) -> None:
        """The host did not go down after all: stops of before are somebody's again."""
        boot = self._state.boot
        await self._state.context.ledger(lambda ledger: host_stays_up_after_all(ledger, boot), None)
        await self.take_up()

    async def _wait(self, record: GuestRecord) -> None:
        state = self._state
        if not self.host_goes_down:
            limit = state.config.shutdown.settle
            await asyncio.sleep(settling.remaining(record, limit, state.context.clock()))
        while True:
            if await state.context.ledger(lambda ledger: self._write(ledger, record), False):
                return
            await asyncio.sleep(AGAIN)

    def _write(self, ledger: Ledger, record: GuestRecord) -> bool:
        if self.host_goes_down:
            host_goes_down(ledger, self._state.boot)
        else:
            host_stayed_up(ledger, record)
        return True

    async def close(self) -> None:
        """Wait for nobody any more; the next process takes them up."""
        await end_all(self._waiting)


def say_stopped(record: GuestRecord, reason: str) -> None:
    """In the journal; how sure it is who did it is part of it."""
    extra = {**of_guest(record.name, record.id), REASON: reason}
    logger.info("%s: %s; %s", record.name, _stop(record), reason, extra=extra)


def _stop(record: GuestRecord) -> str:
    by, certainty = record.stopped_by or StoppedBy.UNKNOWN, record.certainty or Certainty.LIKELY
    return Verdict(by, record.how, certainty, ()).summary
