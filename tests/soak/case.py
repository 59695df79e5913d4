"""One run of a story, and all that is needed to judge it."""

from __future__ import annotations

from dataclasses import dataclass, field

from guestctl.model.guest import GuestFacts, GuestId
from guestctl.model.plan import RunKind
from guestctl.model.record import GuestRecord
from guestctl.model.result import GuestResult, RunResult
from tests.sim.behaviour import Image
from tests.sim.chronicle import Entry
from tests.sim.daemon import Call
from tests.sim.events import Command
from tests.sim.guest import SimGuest
from tests.sim.scenario import Done, Script
from tests.sim.world import SimHost

from .accounts import Account, Accounts

Save = tuple[GuestId, int]


@dataclass(frozen=True)
class Before:
    """A host as it was when a command began."""

    facts: dict[GuestId, GuestFacts]
    records: dict[GuestId, GuestRecord]
    reachable: frozenset[str]
    entries: int
    calls: dict[str, int]
    room: dict[str, int]
    free: dict[str, int | None]
    boot: int
    happenings: int
    silent: bool
    full: bool
    #: Guests with a save that is not true.
    stale: frozenset[GuestId]
    #: The newest line of the trails.
    trail: int


def look(host: SimHost) -> Before:
    """The host as it is now."""
    daemons = host.daemons
    return Before(
        facts={guest.id: guest.facts for guest in host.guests()},
        records=host.ledger.guests(),
        reachable=frozenset(uri for uri, daemon in daemons.items() if daemon.reachable),
        entries=len(host.chronicle()),
        calls={uri: len(daemon.calls) for uri, daemon in daemons.items()},
        room=dict(host.files.room),
        free={uri: daemon.free for uri, daemon in daemons.items()},
        boot=host.boot,
        happenings=host.happenings,
        silent=host.files.silent,
        full=host.ledger_is_full,
        stale=frozenset(
            g.id for g in host.guests() if g.image is not Image.NONE and not g.has_true_save
        ),
        trail=host.ledger.trail.newest(),
    )


@dataclass
class Memory:
    """What earlier runs of the story are known to have done.

    witnessed: saves that a run saw being made, and could stamp; used_up: those that a run
    resumed a guest from, and lived to write it down; being_used: those from which a guest was
    resumed without a run that saw it, by the boot in which it was; uncertain: guests of which
    a restore could not tell whether it had resumed them.
    """

    accounts: Accounts = field(default_factory=Accounts)
    witnessed: set[Save] = field(default_factory=set)
    used_up: set[Save] = field(default_factory=set)
    being_used: dict[Save, int] = field(default_factory=dict)
    uncertain: set[GuestId] = field(default_factory=set)

    def is_used_up(self, save: Save, boot: int) -> bool:
        """Whether guestctl can know; within one boot a resume cut off is to be tried again."""
        return save in self.used_up or self.being_used.get(save, boot) != boot


@dataclass(frozen=True)
class Case:
    """A run that has ended, or was cut off (run is None), and what was before."""

    host: SimHost
    script: Script
    command: Command
    kind: RunKind
    done: Done
    was: Before
    memory: Memory
    owed: frozenset[GuestId]

    @property
    def run(self) -> RunResult | None:
        """Its result, if it lived to its end."""
        return self.done.result if isinstance(self.done.result, RunResult) else None

    @property
    def entries(self) -> list[Entry]:
        """What became of guests meanwhile."""
        return self.host.chronicle()[self.was.entries :]

    @property
    def calls(self) -> list[Call]:
        """What guestctl called meanwhile."""
        made: list[Call] = []
        for uri, daemon in self.host.daemons.items():
            made += daemon.calls[self.was.calls.get(uri, 0) :]
        return made

    def is_meant(self, guest: GuestId) -> bool:
        """Whether a restore without names is for the guest: `resume` for those that are shed."""
        record = self.was.records.get(guest)
        is_shed = record is not None and record.shed is not None
        return is_shed or self.command.verb != "resume"

    @property
    def ledger_worked(self) -> bool:
        """Whether all that was to be written was."""
        troubles = [text for _, text in self.done.report.troubles]
        return not any("ledger" in text for text in troubles)

    @property
    def calm(self) -> bool:
        """Whether nothing was in the way of the run from outside."""
        undisturbed = self.was.happenings == self.host.happenings
        return undisturbed and not (self.was.silent or self.was.full) and not self.lost

    @property
    def lost(self) -> bool:
        """Whether a connection could not be used."""
        return len(self.was.reachable) < len(self.host.daemons)

    def account(self, guest: GuestId) -> Account:
        """The guest's account."""
        return self.memory.accounts.of(guest)

    def guest(self, guest: GuestId) -> SimGuest:
        """The guest, which must be there."""
        found = self.host.find(guest)
        assert found is not None
        return found

    def record(self, guest: GuestId) -> GuestRecord | None:
        """What the ledger says of it now."""
        return self.host.ledger.guests().get(guest)

    def result(self, guest: GuestId) -> GuestResult | None:
        """What the run says of it."""
        results = self.run.guests if self.run else ()
        return next((result for result in results if result.guest == guest), None)
