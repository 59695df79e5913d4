"""The world of a simulated run: ledger, clock, display, host, all under a test's control."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from guestctl.ledger import Ledger, connect, transaction
from guestctl.model import (
    Door,
    GuestFacts,
    GuestPlan,
    GuestResult,
    Plan,
    Step,
    StepResult,
)
from guestctl.world import World

from .behaviour import GuestSpec
from .hypervisor import SimDaemon, SimHypervisor

T = TypeVar("T")

#: The wall clock at 0 s of virtual time: 1 January 2026, 0:00 UTC.
BASE_NS = 1_767_225_600 * 10**9


class InlineScribe:
    """The Scribe of ports.py without a thread: each work is one transaction.

    delay: seconds until the disk answers.  fault: called before each work; it may raise
    sqlite3.Error.  Once closed (the process is gone) nothing is written any more.
    """

    def __init__(self, ledger: Ledger, trouble: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._trouble = trouble
        self.delay = 0.0
        self.fault: Callable[[], None] = lambda: None
        self.closed = False

    async def __call__(self, work: Callable[[Ledger], T], default: T) -> T:
        await asyncio.sleep(self.delay)
        if self.closed:
            return default
        try:
            self.fault()
            with transaction(self._ledger.db):
                return work(self._ledger)
        except sqlite3.Error as error:
            self._trouble(f"cannot write to the ledger: {error}")
            return default


class RecordingReport:
    """The Report of ports.py that remembers; steps and ends come with their virtual time."""

    def __init__(self) -> None:
        self.plans: list[tuple[float, Plan, Door]] = []
        self.added: list[tuple[float, GuestPlan]] = []
        self.begun: list[tuple[float, str, Step, float]] = []
        self.notes: list[tuple[float, str, float | None, str]] = []
        self.ended: list[tuple[float, str, StepResult]] = []
        self.results: list[tuple[float, GuestResult]] = []
        self.troubles: list[tuple[float, str]] = []

    @property
    def follows_progress(self) -> bool:
        return True

    def run_begins(self, plan: Plan, door: Door) -> None:
        self.plans.append((_now(), plan, door))

    def guest_added(self, plan: GuestPlan) -> None:
        self.added.append((_now(), plan))

    def step_begins(self, guest: GuestFacts, step: Step, timeout: float) -> None:
        self.begun.append((_now(), guest.name, step, timeout))

    def progress(self, guest: GuestFacts, fraction: float | None, note: str) -> None:
        self.notes.append((_now(), guest.name, fraction, note))

    def step_ends(self, guest: GuestFacts, result: StepResult) -> None:
        self.ended.append((_now(), guest.name, result))

    def guest_ends(self, result: GuestResult) -> None:
        self.results.append((_now(), result))

    def trouble(self, message: str) -> None:
        self.troubles.append((_now(), message))


class Process:
    """What one start of guestctl has: connections, scribe, display; `kill` ends it at once."""

    def __init__(self, host: SimHost) -> None:
        self.report = RecordingReport()
        self.scribe = InlineScribe(host.ledger, self.report.trouble)
        self.connections: dict[str, SimHypervisor] = {
            uri: daemon.connect() for uri, daemon in host.daemons.items()
        }
        self.world = World(
            self.connections, self.scribe, self.report, host.wall_clock, host.boot_id
        )

    def kill(self) -> None:
        """SIGKILL: nothing it was about to do happens any more."""
        self.scribe.closed = True
        for connection in self.connections.values():
            connection.kill()


class SimHost:
    """A host: libvirtd by URI, guestctl's ledger, the boot's id, the time of day."""

    def __init__(self, specs: Iterable[GuestSpec] = (), ledger: Path | None = None) -> None:
        self.boot = 1
        self.clock_jump = 0.0
        self.daemons: dict[str, SimDaemon] = {}
        self._db = connect(ledger)
        self.ledger = Ledger(self._db, self.wall_clock)
        for spec in specs:
            self.daemon(spec.uri).add(spec)

    def __enter__(self) -> SimHost:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @property
    def boot_id(self) -> str:
        return f"boot-{self.boot}"

    def wall_clock(self) -> int:
        """Nanoseconds since the epoch, as far as this host knows."""
        return BASE_NS + round((_now() + self.clock_jump) * 10**9)

    def daemon(self, uri: str = "qemu:///system") -> SimDaemon:
        """The libvirtd of this URI; made when first asked for."""
        return self.daemons.setdefault(uri, SimDaemon(uri))

    def process(self) -> Process:
        """guestctl, started anew."""
        return Process(self)

    def reboot(self) -> None:
        """Whatever was in memory is gone, in good order or not; disks stay."""
        self.boot += 1
        for daemon in self.daemons.values():
            daemon.reboot()


def _now() -> float:
    return asyncio.get_running_loop().time()
