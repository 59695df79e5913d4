"""What there is to see of a simulated host's guests, and of what was done to them."""

from __future__ import annotations

import asyncio

from guestctl.model.host_units import StopLimit
from guestctl.model.record import GuestRecord

from .chronicle import BEGINNINGS
from .guest import SimGuest
from .world import SimHost


class HostView:
    """The guests, their records, the calls, the runs, and the journal.

    forced: after how long systemd forces a stop; None where it does not answer.
    """

    def __init__(self, sim: SimHost) -> None:
        self.sim = sim
        self.forced: float | None = 1800.0
        self.log: list[tuple[float, str]] = []

    async def stop_limit(self, kind: str) -> StopLimit | None:
        """systemd's answer."""
        await asyncio.sleep(0)
        return None if self.forced is None else StopLimit(f"{kind}.target", self.forced)

    def note(self, message: str) -> None:
        """A line of the journal."""
        self.log.append((asyncio.get_running_loop().time(), message))

    def said(self, words: str) -> bool:
        """Whether the journal has them."""
        return any(words in message for _, message in self.log)

    def guest(self, name: str) -> SimGuest:
        """The guest of this name."""
        return next(guest for guest in self.sim.guests() if guest.name == name)

    def record(self, name: str) -> GuestRecord:
        """What the ledger says of it."""
        return self.sim.ledger.guests()[self.guest(name).id]

    def record_named(self, name: str) -> GuestRecord:
        """What the ledger says of the guest that it has under this name."""
        return next(record for record in self.sim.ledger.guests().values() if record.name == name)

    @property
    def up(self) -> str:
        """Names of the guests that are up."""
        return " ".join(sorted(guest.name for guest in self.sim.guests() if guest.up))

    @property
    def wanted(self) -> str:
        """Names of the guests that the ledger wants on."""
        records = self.sim.ledger.guests().values()
        return " ".join(sorted(record.name for record in records if record.wanted == "on"))

    def calls(self, *names: str) -> list[str]:
        """The calls of these kinds that were made, as "save a"."""
        daemons = self.sim.daemons.values()
        made = (call for daemon in daemons for call in daemon.calls if call.name in names)
        return [f"{call.name} {call.guest}" for call in sorted(made, key=lambda call: call.time)]

    def began(self, name: str) -> int:
        """How often the guest was booted or resumed."""
        began = [entry.guest for entry in self.sim.chronicle() if entry.fate in BEGINNINGS]
        return began.count(self.guest(name).id)

    @property
    def touched(self) -> list[str]:
        """The calls that change a guest."""
        return self.calls(
            *("save", "poweroff", "request_shutdown acpi", "request_shutdown agent"),
            *("start", "abort_job", "discard_save", "wake", "unpause"),
        )

    def runs(self) -> list[tuple[str, str, bool | None]]:
        """Kind, trigger and success of the runs, oldest first."""
        runs = reversed(self.sim.ledger.runs.newest(1000))
        return [(str(run.kind), str(run.trigger), run.ok) for run in runs]
