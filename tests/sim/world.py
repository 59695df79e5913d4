"""The world of a simulated run: ledger, clock, display, host, all under a test's control."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from guestctl.ledger.file import TROUBLE, connect, transaction
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestId, State
from guestctl.model.instant import Instant
from guestctl.model.plan import GuestPlan, Plan, Step
from guestctl.model.report import (
    GuestAdded,
    Progress,
    RunBegan,
    RunEvent,
    StepBegan,
    StepEnded,
    Trouble,
)
from guestctl.model.result import StepResult, Trigger
from guestctl.runs.context import Context

from .behaviour import GuestSpec
from .chronicle import Entry
from .daemon import SimDaemon
from .files import Files
from .guest import SimGuest
from .hypervisor import SimHypervisor
from .lock import Reply
from .probe import SimProbe
from .storage import SimStorage

T = TypeVar("T")
E = TypeVar("E")

#: The wall clock at 0 s of virtual time: 1 January 2026, 0:00 UTC.
BASE_NS = 1_767_225_600 * 10**9


class InlineLedger:
    """The LedgerAccess of ports.py without a thread: each work is one transaction.

    delay: seconds until the disk answers.  fault: called before each work; it may raise
    sqlite3.Error.  is_full: whether the disk takes nothing more, though it can be read.
    reached: called before each work and once it is durable; it may kill the
    process.  Once closed (the process is gone) nothing is written any more.
    """

    def __init__(self, ledger: Ledger, trouble: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._trouble = trouble
        self.delay = 0.0
        self.fault: Callable[[], None] = lambda: None
        self.is_full: Callable[[], bool] = lambda: False
        self.reached: Callable[[str], None] = lambda _: None
        self.closed = False
        self._told = False

    async def __call__(self, work: Callable[[Ledger], T], default: T) -> T:
        await asyncio.sleep(self.delay)
        self.reached("ledger")
        if self.closed:
            return default
        try:
            answer = self._carry_out(work)
        except TROUBLE as error:
            self._tell(f"cannot write to the ledger: {error}")
            return default
        self.reached("ledger, done")
        return default if self.closed else answer

    def _carry_out(self, work: Callable[[Ledger], T]) -> T:
        self.fault()
        db = self._ledger.db
        with transaction(db):
            changes = db.total_changes
            answer = work(self._ledger)
            if self.is_full() and db.total_changes > changes:
                raise sqlite3.OperationalError("database or disk is full")
            return answer

    def _tell(self, message: str) -> None:
        """Once, as LedgerWriter does."""
        if not self._told:
            self._told = True
            self._trouble(message)


class Recorder:
    """Remembers what runs tell, with its virtual time."""

    def __init__(self) -> None:
        self.events: list[tuple[float, RunEvent]] = []

    def __call__(self, event: RunEvent) -> None:
        self.events.append((_now(), event))

    def _all(self, kind: type[E]) -> list[tuple[float, E]]:
        return [(time, event) for time, event in self.events if isinstance(event, kind)]

    @property
    def plans(self) -> list[tuple[float, Plan, Trigger]]:
        """Plans of runs, and what began them."""
        return [(time, event.plan, event.trigger) for time, event in self._all(RunBegan)]

    @property
    def added(self) -> list[tuple[float, GuestPlan]]:
        """Guests that turned up in mid-run."""
        return [(time, event.plan) for time, event in self._all(GuestAdded)]

    @property
    def notes(self) -> list[tuple[float, str, float | None, str]]:
        """How far steps were."""
        found = self._all(Progress)
        return [(time, it.guest.name, it.fraction, it.note) for time, it in found]

    @property
    def begun(self) -> list[tuple[float, str, Step, float]]:
        """Steps, and how long they may take."""
        found = self._all(StepBegan)
        return [(time, it.guest.name, it.step, it.timeout) for time, it in found]

    @property
    def ended(self) -> list[tuple[float, str, StepResult]]:
        """How steps went."""
        return [(time, it.guest.name, it.result) for time, it in self._all(StepEnded)]

    @property
    def troubles(self) -> list[tuple[float, str]]:
        """What went wrong."""
        return [(time, event.message) for time, event in self._all(Trouble)]


class Process:
    """What one start of guestctl has: connections, ledger, display; `kill` ends it at once.

    points: the calls and ledger writes that it has come to, each before it and after it; those
    that only ask for a job's progress do not count.
    """

    def __init__(self, host: SimHost) -> None:
        self._host = host
        self.points: list[str] = []
        self.fuses: dict[int, Callable[[], None]] = {}
        self.report = Recorder()
        self.ledger = InlineLedger(host.ledger, self._trouble)
        self.ledger.is_full = lambda: host.ledger_is_full
        self.ledger.fault = host.ledger_fault
        self.connections: dict[str, SimHypervisor] = {
            uri: SimHypervisor(daemon) for uri, daemon in host.daemons.items()
        }
        self.ledger.reached = self._reached
        for connection in self.connections.values():
            connection.reached = self._reached
        self.context = Context(
            self.connections,
            host.storage,
            self.ledger,
            self.report,
            host.now,
            host.boot_id,
            follows_progress=host.shows_progress,
            probe=host.probe,
        )

    def _trouble(self, message: str) -> None:
        self.report(Trouble(message))

    def _reached(self, what: str) -> None:
        # Whether jobs are followed must not change the numbers of the points.
        if self.ledger.closed or what.startswith(("job", "block_jobs")):
            return
        self.points.append(what)
        if fuse := self.fuses.get(len(self.points)):
            fuse()

    def connect(self, uri: str) -> SimHypervisor:
        """The connection of this process, made when first asked for."""
        if uri not in self.connections:
            self.connections[uri] = SimHypervisor(self._host.daemon(uri))
            self.connections[uri].reached = self._reached
        return self.connections[uri]

    def kill(self) -> None:
        """SIGKILL: nothing it was about to do happens any more."""
        self.ledger.closed = True
        for connection in self.connections.values():
            connection.kill()


class SimHost:
    """A host: libvirtd by URI, guestctl's ledger, the boot's id, the time of day, files."""

    def __init__(
        self,
        specs: Iterable[GuestSpec] = (),
        ledger: Path | None = None,
        room: Mapping[str, int] | None = None,
    ) -> None:
        self.boot = 1
        self.clock_jump = 0.0
        #: For how many seconds it was suspended, while the virtual time stood still.
        self.slept = 0.0
        self.ledger_is_full = False
        #: Whether it can be used, by whomever.
        self.ledger_answers = True
        self.shows_progress = True
        #: How much happened to it, other than what guestctl did.
        self.happenings = 0
        self.daemons: dict[str, SimDaemon] = {}
        self.files = Files(dict(room or {}))
        self.storage = SimStorage(self.files, self.daemons)
        self.probe = SimProbe(self.daemons)
        self._db = connect(ledger) if ledger else _new_database()
        self.ledger = Ledger(self._db, self.now)
        self.names: set[str] = set()
        self._undefined: dict[str, GuestSpec] = {}
        for spec in specs:
            self._add(spec)

    def _add(self, spec: GuestSpec) -> None:
        self.names.add(spec.name)
        if spec.defined:
            self.daemon(spec.uri).add(spec)
        else:
            self.daemon(spec.uri)
            self._undefined[spec.name] = spec

    def define(self, name: str) -> None:
        """A guest of the specs that was not there yet; a running one is started as well."""
        if spec := self._undefined.pop(name, None):
            guest = self.daemon(spec.uri).add(replace(spec, state=State.SHUT_OFF))
            if spec.state is State.RUNNING:
                guest.start(Reply())

    def ledger_fault(self) -> None:
        """Before each work of the ledger."""
        if not self.ledger_answers:
            raise sqlite3.OperationalError("disk I/O error")

    def __enter__(self) -> SimHost:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @property
    def boot_id(self) -> str:
        return f"boot-{self.boot}"

    def now(self) -> Instant:
        """This moment, as far as this host knows."""
        at = BASE_NS + round((_now() + self.clock_jump) * 10**9)
        # Its boots begin one after another; what counts is that the clock of each never jumps.
        awake = round(_now() * 10**9)
        return Instant(at, self.boot_id, awake + round(self.slept * 10**9), awake)

    def daemon(self, uri: str = "qemu:///system") -> SimDaemon:
        """The libvirtd of this URI; made when first asked for."""
        if uri not in self.daemons:
            self.daemons[uri] = SimDaemon(uri, self.files)
        return self.daemons[uri]

    def guests(self) -> list[SimGuest]:
        """Every guest of every libvirtd."""
        daemons = self.daemons.values()
        return [guest for daemon in daemons for guest in daemon.guests.values()]

    def find(self, guest: GuestId) -> SimGuest | None:
        """The guest, if it is there."""
        daemon = self.daemons.get(guest.uri)
        return daemon.guests.get(guest.uuid) if daemon else None

    def name_of(self, guest: GuestId) -> str:
        """The guest's name, also of one that is gone."""
        return self.daemons[guest.uri].name_of(guest.uuid)

    def chronicle(self) -> list[Entry]:
        """What became of all guests, in order of time."""
        daemons = self.daemons.values()
        return sorted((e for d in daemons for e in d.chronicle), key=lambda entry: entry.time)

    def process(self) -> Process:
        """guestctl, started anew."""
        return Process(self)

    def soft_reboot(self) -> None:
        """The boot's id stays, and with it libvirt's marker that autostart was done."""
        self.happenings += 1
        for guest in self.guests():
            guest.lose_memory()

    def reboot(self, *, unlinks_lost: bool = False) -> None:
        """Whatever was in memory is gone, in good order or not; disks stay.

        unlinks_lost: what was removed from disks in this boot may be there again.
        """
        self.boot += 1
        self.happenings += 1
        for daemon in self.daemons.values():
            daemon.reboot(self.boot, unlinks_lost=unlinks_lost)


@cache
def _empty_database() -> bytes:
    """A ledger without anything in it: making one takes longer than a run."""
    with contextlib.closing(connect(None)) as db:
        return db.serialize()


def _new_database() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(_empty_database())
    db.execute("PRAGMA foreign_keys = ON")
    return db


def _now() -> float:
    return asyncio.get_running_loop().time()
