"""Follows a story, and stops it at the first broken promise."""

from __future__ import annotations

from guestctl.model.guest import GuestId
from guestctl.model.plan import Outcome, RunKind
from tests.sim.chronicle import By, Fate
from tests.sim.events import Command
from tests.sim.scenario import Done, Script, Story, run_script
from tests.sim.world import SimHost

from .accounts import Due
from .case import Before, Case, Memory, look
from .promises import broken

_RUNS = {
    "preserve": RunKind.PRESERVE,
    "host stops": RunKind.PRESERVE,
    "shutdown": RunKind.SHUTDOWN,
    "start": RunKind.RESTORE,
    "boot": RunKind.RESTORE,
    "shed": RunKind.PRESERVE,
    "resume": RunKind.RESTORE,
}


#: What is said of a command whose run came to no result.
_CUT_OFF = ("killed", "interrupted")


class BrokenPromise(AssertionError):
    """Something that must never be so."""


def check(script: Script) -> Story:
    """The script's story; BrokenPromise where it is not as it must be."""
    return run_script(script, Checker(script), progress=False)


class Checker:
    """The Watcher of one story."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._memory = Memory()
        self._taken_in = 0
        #: Whether the newest run could write, and see the files that it wrote of.
        self._ledger_worked = True
        self._was: Before | None = None

    def before(self, host: SimHost, command: Command) -> None:
        """Take in what happened since the last command."""
        self._was = look(host)
        self._take_in(host)

    def after(self, host: SimHost, command: Command, done: Done) -> None:
        """Judge the command, then note what it changed."""
        kind, was = _RUNS.get(command.verb), self._was
        assert was is not None
        if kind is None or (done.result not in _CUT_OFF and isinstance(done.result, str)):
            return
        if done.report.plans:
            self._notice(done, was)
        case = Case(host, self._script, command, kind, done, was, self._memory, self._owed(was))
        if problems := list(broken(case)):
            raise BrokenPromise("\n".join(f"{command.deed}: {text}" for text in problems))
        self._ledger_worked = case.ledger_worked and not (was.silent or host.files.silent)
        self._take_in(host)
        self._note(case)

    def _take_in(self, host: SimHost) -> None:
        chronicle = host.chronicle()
        news = chronicle[self._taken_in :]
        self._taken_in = len(chronicle)
        self._memory.accounts.take_in(news)
        for entry in news if self._ledger_worked else ():
            if entry.fate is Fate.RESUMED and entry.by is By.GUESTCTL:
                self._memory.being_used[entry.guest, entry.image] = entry.boot

    def _notice(self, done: Done, was: Before) -> None:
        """What its process read, it wrote down before it made a plan."""
        read = [facts for facts in was.facts.values() if facts.id.uri in was.reachable]
        self._memory.accounts.notice(read, was.boot)

    def _owed(self, was: Before) -> frozenset[GuestId]:
        accounts = self._memory.accounts
        return frozenset(guest for guest in was.facts if accounts.of(guest).due is Due.ON)

    def _note(self, case: Case) -> None:
        accounts = self._memory.accounts
        if case.run:
            accounts.settle(case.command, case.done, case.run)
            self._note_saves(case)
        elif case.done.report.plans or case.kind is RunKind.SHUTDOWN:
            accounts.leave_pending(case.command, case.done, case.kind)
        self._note_uncertain(case)
        if not case.ledger_worked:
            accounts.forgo()

    def _note_saves(self, case: Case) -> None:
        if not (case.run and self._ledger_worked) or case.run.interrupted:
            return
        for entry in case.entries:
            result = case.result(entry.guest)
            if result is None or entry.by is not By.GUESTCTL:
                continue
            if entry.fate is Fate.SAVED and result.outcome is Outcome.SAVED:
                guest = case.guest(entry.guest)
                if guest.images.files[entry.image].there and guest.can_open_disks():
                    self._memory.witnessed.add((entry.guest, entry.image))
            elif entry.fate is Fate.RESUMED and result.outcome is Outcome.RESUMED:
                self._memory.used_up.add((entry.guest, entry.image))

    def _note_uncertain(self, case: Case) -> None:
        cut_off = case.run is None or case.run.interrupted
        if cut_off and case.kind is RunKind.RESTORE:
            self._memory.uncertain.update(case.was.facts)
        for result in case.run.guests if case.run else ():
            text = result.reason
            if result.outcome is Outcome.FAILED and ("onnect" in text or "no answer" in text):
                self._memory.uncertain.add(result.guest)
