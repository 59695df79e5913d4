"""What guestctl owes each guest, by what it can know: kept beside it, from the truth.

A guest that guestctl saw up, or that it took down for the host's sake, is due ON; one that
was turned off while guestctl could learn of it, or never was seen up, is due OFF.  Where
guestctl has no way to know, such as of a guest that was started and stopped between two
runs, it is OPEN: either will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from guestctl.model.guest import GuestFacts, GuestId, State
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.result import GuestResult, RunResult
from tests.sim.chronicle import BEGINNINGS, ENDS, By, Entry, Fate
from tests.sim.events import Command
from tests.sim.scenario import Done, is_up

_TAKEN_DOWN = frozenset({Outcome.SAVED, Outcome.SHUT_DOWN, Outcome.POWERED_OFF})
_BROUGHT_UP = frozenset({Outcome.RESUMED, Outcome.STARTED})


class Due(StrEnum):
    """What is owed to a guest."""

    ON = "on"
    OFF = "off"
    OPEN = "open"


@dataclass
class Account:
    """One guest's: due; whether guestctl knows that it is up; what a run had in hand for it.

    asked_off: an operator's shutdown lost sight of it; it may have followed, or never heard.
    entries: what happened to it that guestctl was not told yet.
    """

    due: Due = Due.OFF
    up: bool = False
    pending: RunKind | None = None
    asked_off: bool = False
    entries: list[Entry] = field(default_factory=list)

    def notice(self, facts: GuestFacts, boot: int) -> None:
        """A run has read the guest, and written down what that says of the time before."""
        lived_on = not any(entry.fate in BEGINNINGS for entry in self.entries)
        if is_up(facts):
            self.due = Due.ON if facts.persistent else Due.OPEN
            if self.pending is RunKind.SHUTDOWN:
                self.due = Due.OPEN
        elif facts.state is not State.UNKNOWN:
            ends = [entry for entry in self.entries if entry.fate in ENDS]
            self.due = self._after(ends[-1], facts, boot) if ends else self._still_down()
        # What a run asked of it, it can still follow.
        if not (is_up(facts) and lived_on):
            self.pending, self.asked_off = None, False
        self.up, self.entries = is_up(facts), []

    def _still_down(self) -> Due:
        """One that was being started, or was asked to be off, when a run was killed."""
        return Due.OPEN if self.pending is RunKind.SHUTDOWN else self.due

    def _after(self, end: Entry, facts: GuestFacts, boot: int) -> Due:
        if self.pending is RunKind.SHUTDOWN:
            return Due.OPEN
        if end.by is By.HOST:
            return self.due if self.up or self.pending else Due.OPEN
        if end.by is By.GUESTCTL:
            return Due.OPEN if self.asked_off else self.due
        if end.fate is Fate.MOVED and facts.reason == "migrated" and self.up:
            return Due.OFF
        if self.pending or end.boot != boot or not self.up:
            return Due.OPEN
        if end.fate is Fate.CRASHED:
            return Due.ON if facts.reason == "crashed" else Due.OPEN  # libvirtd can forget
        return Due.OFF

    def settle(self, result: GuestResult, run: RunResult, facts: GuestFacts, named: bool) -> None:
        """A run has ended for the guest, and has said how."""
        touched = any(entry.by in (By.SOMEBODY, By.ITSELF) for entry in self.entries)
        if run.kind is RunKind.RESTORE:
            self._settle_up(result, touched, named)
        elif run.kind is RunKind.SHUTDOWN:
            self._settle_off(result)
        else:
            self._settle_down(result, facts)
        self.up = is_up(facts)
        if facts.up and result.outcome in _TAKEN_DOWN:
            self.due = Due.OPEN  # somebody was quicker than the run's last look
        if result.outcome is not Outcome.UNKNOWN:
            self.entries = []

    def _settle_up(self, result: GuestResult, touched: bool, named: bool) -> None:
        if result.outcome in _BROUGHT_UP:
            self.due = Due.OPEN if touched else Due.ON
        elif result.outcome is Outcome.FAILED:
            self.due = Due.OPEN if named or touched else self.due
            self.pending = RunKind.RESTORE  # it may still come up
        elif touched or (named and result.steps):  # it was asked for, and could not be resumed
            self.due = Due.OPEN

    def _settle_off(self, result: GuestResult) -> None:
        if result.outcome in _TAKEN_DOWN or result.outcome is Outcome.GONE:
            self.due = Due.OFF
        elif result.outcome is Outcome.SKIPPED:
            self.due = Due.OPEN if self.up else Due.OFF
        elif result.outcome is Outcome.FAILED:
            self.due, self.pending = Due.OPEN, RunKind.SHUTDOWN
        elif result.outcome is Outcome.UNKNOWN:
            self.pending = RunKind.PRESERVE  # a stop from now on can be what was asked for
            self.asked_off = True

    def _settle_down(self, result: GuestResult, facts: GuestFacts) -> None:
        if result.outcome in _TAKEN_DOWN and facts.persistent:
            self.due = Due.ON
        elif result.outcome is Outcome.GONE:
            self.due = Due.OFF
        elif result.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            self.pending = RunKind.PRESERVE  # what was asked of it may still come
            if self.due is Due.OFF:
                self.due = Due.OPEN  # it was just being started


def _in_hand(command: Command, done: Done) -> Iterator[tuple[GuestId, str]]:
    """Whom a run that was cut off may have had in hand."""
    plans = [entry for _, plan, _ in done.report.plans for entry in plan.guests]
    for entry in plans + [entry for _, entry in done.report.added]:
        yield entry.guest.id, entry.guest.name
    if not plans and "ledger, done" in done.points:  # its intents are written before it tells
        for facts in done.facts.values():
            if not command.names or facts.name in command.names:
                yield facts.id, facts.name


class Accounts:
    """Those of every guest."""

    def __init__(self) -> None:
        self._accounts: dict[GuestId, Account] = {}

    def of(self, guest: GuestId) -> Account:
        """The guest's account."""
        return self._accounts.setdefault(guest, Account())

    def take_in(self, entries: Iterable[Entry]) -> None:
        """What happened since the last call."""
        for entry in entries:
            self.of(entry.guest).entries.append(entry)

    def notice(self, seen: Iterable[GuestFacts], boot: int) -> None:
        """A run has begun with these guests."""
        for facts in seen:
            self.of(facts.id).notice(facts, boot)

    def settle(self, command: Command, done: Done, run: RunResult) -> None:
        """A run has ended."""
        if run.interrupted:
            self.leave_pending(command, done, run.kind)
        for result in run.guests:
            facts = done.facts.get(result.guest)
            if facts is not None:
                named = result.name in command.names
                self.of(result.guest).settle(result, run, facts, named)
        if run.kind is RunKind.SHUTDOWN and not command.names:
            self._all_off(run)

    def _all_off(self, run: RunResult) -> None:
        """Those that were down already are to stay down."""
        told = {result.guest for result in run.guests}
        for guest, account in self._accounts.items():
            if guest not in told:
                account.due = Due.OPEN if guest.uri in run.lost or run.interrupted else Due.OFF

    def leave_pending(self, command: Command, done: Done, kind: RunKind) -> None:
        """A run was cut off: nobody knows how far it came with the guests it had in hand."""
        if kind is RunKind.SHUTDOWN and not command.names:
            self.forgo()
        for guest, name in _in_hand(command, done):
            account = self.of(guest)
            account.pending = kind
            asked_for = kind is RunKind.RESTORE and name in command.names
            just_started = kind is RunKind.PRESERVE and account.due is Due.OFF
            if asked_for or just_started:
                account.due = Due.OPEN

    def forgo(self) -> None:
        """It cannot be told how far guestctl knows what became of anybody."""
        for account in self._accounts.values():
            account.due = Due.OPEN
