"""Guests that were not ready in time: looked at until they are, for the sake of those that wait.

Whether any is stands in the ledger, since a command may have started it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ..model.guest import GuestFacts
from ..model.ports import READ_LIMIT, HypervisorError, within
from ..model.record import GuestRecord
from ..runs.unready import look_again
from .state import ServiceState

#: Between two looks at guests, and into the ledger where none was unready.
LOOK, LOOK_SELDOM = 15.0, 60.0


class UnreadyGuests:
    """Notices that guests are ready after all."""

    def __init__(self, state: ServiceState, ready: Callable[[], None]) -> None:
        """ready is called when guests are, for which others may wait."""
        self._state = state
        self._ready = ready

    async def work(self) -> None:
        """Never returns."""
        pause = LOOK  # the first one is told by the end of a boot's restore
        while True:
            await asyncio.sleep(pause)
            await self._state.until_idle()
            records = await self._records()
            pause = LOOK if records else LOOK_SELDOM
            if records:
                await self._look(records)

    async def _records(self) -> list[GuestRecord]:
        boot = self._state.boot
        nobody: list[GuestRecord] = []
        return await self._state.context.ledger(lambda ledger: ledger.unready(boot), nobody)

    async def _look(self, records: list[GuestRecord]) -> None:
        context, config = self._state.context, self._state.config
        guests = [guest for record in records if (guest := await self._observe(record))]
        still = await look_again(context, config, guests, records, "guestctl:watch")
        if len(still) < len(records):
            self._ready()
            self._state.on_change()

    async def _observe(self, record: GuestRecord) -> GuestFacts | None:
        hypervisor = self._state.context.hypervisors.get(record.id.uri)
        if hypervisor is None:
            return None
        with contextlib.suppress(HypervisorError):
            return await within(READ_LIMIT, hypervisor.observe(record.id.uuid))
        return None
