"""The ledger's tables of runs: their steps, and what became of each guest in them.

A guest is in hand from the moment a run writes down what it is about to do with it until the
run writes down what became of it (`outcome` is NULL meanwhile): whoever watches guests lets
those be.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterable
from typing import Any

from ..model.guest import GuestFacts, GuestId
from ..model.history import (
    CUT_OFF,
    Actor,
    Attempt,
    PastGuest,
    PastRun,
    PastShutdown,
    PastStart,
    PastStep,
)
from ..model.instant import Clock
from ..model.plan import Outcome, RunKind, Step
from ..model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from .saves import Saves

#: How many runs are kept, the newest.
KEPT_RUNS = 200

SCHEMA = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "trigger" TEXT NOT NULL,
    boot TEXT NOT NULL, pid INTEGER NOT NULL, begun INTEGER NOT NULL, begun_up INTEGER,
    ended INTEGER, ok INTEGER, uris TEXT NOT NULL DEFAULT '[]',
    user TEXT, origin TEXT, command TEXT) STRICT;
CREATE TABLE step (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER REFERENCES run ON DELETE CASCADE,
    uri TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, step TEXT NOT NULL,
    begun INTEGER NOT NULL, begun_up INTEGER NOT NULL DEFAULT 0,
    ended INTEGER, ended_up INTEGER, end TEXT, reason TEXT NOT NULL DEFAULT '',
    ready_up INTEGER) STRICT;
CREATE INDEX step_run ON step (run);
CREATE INDEX step_guest ON step (uri, uuid, id);
CREATE TABLE run_guest (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    uri TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, begun INTEGER, ended INTEGER,
    outcome TEXT, reason TEXT NOT NULL DEFAULT '', UNIQUE (run, uri, uuid)) STRICT;
"""


class Runs:
    """The tables; every method raises sqlite3.Error.

    A method is a statement or two: there are as many as there are questions about runs.
    """

    def __init__(self, db: sqlite3.Connection, clock: Clock, saves: Saves) -> None:
        self._db = db
        self._now = clock
        self._saves = saves

    # A run

    def begin(self, kind: RunKind, trigger: Trigger, boot: str, actor: Actor | None = None) -> int:
        """A new run's number; the run counts as cut off until `end`.  actor: who asked for it."""
        now = self._now()
        who = (actor.user, actor.origin, actor.command) if actor else (None, None, None)
        cursor = self._db.execute(
            'INSERT INTO run (kind, "trigger", boot, pid, begun, begun_up, user, origin, command)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, trigger, boot, os.getpid(), now.at, now.up, *who),
        )
        return _new_row(cursor)

    def end(self, result: RunResult, uris: Iterable[str] = ()) -> None:
        """The run is over, and has dealt with all guests of these connections."""
        ok = None if result.interrupted else int(result.ok)
        self._db.execute(
            "UPDATE run SET ended = ?, ok = ?, uris = ? WHERE id = ?",
            (self._now().at, ok, json.dumps(sorted(uris)), result.run),
        )

    def forget(self, run: int | None) -> None:
        """Nothing came of it, once more: as if it had not been."""
        self._db.execute("DELETE FROM run WHERE id = ?", (run,))

    def prune(self) -> None:
        """Forget the oldest, but not those that tell what this boot owes, however many follow.

        Numbers can be missing: see `forget`.
        """
        self._db.execute(
            "DELETE FROM run WHERE id NOT IN (SELECT id FROM run ORDER BY id DESC LIMIT ?)"
            " AND id NOT IN"
            f" (SELECT id FROM run WHERE {_OF_THE_HOST} ORDER BY id DESC LIMIT ?)",
            (KEPT_RUNS, *_HOSTS_RUNS, KEPT_RUNS),
        )

    # Guests of a run

    def begin_guest(self, run: int | None, guest: GuestFacts) -> None:
        """A run begins with the guest; nothing for a run that could not be recorded."""
        if run is not None:
            # Replaced, so that one that is begun with once more counts as begun since: see below.
            self._db.execute(
                "INSERT OR REPLACE INTO run_guest (run, uri, uuid, name, begun)"
                " VALUES (?, ?, ?, ?, ?)",
                (run, *guest.id, guest.name, self._now().at),
            )

    def end_guest(self, run: int | None, result: GuestResult) -> None:
        """How the run ended for one guest; nothing for a run that could not be recorded."""
        if run is None:
            return
        self._db.execute(
            "INSERT INTO run_guest (run, uri, uuid, name, ended, outcome, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, uri, uuid) DO UPDATE SET"
            " name = excluded.name, ended = excluded.ended, outcome = excluded.outcome,"
            " reason = excluded.reason",
            (run, *result.guest, result.name, self._now().at, result.outcome, result.why),
        )

    def in_hand(self, boot: str, kind: RunKind | None = None) -> set[GuestId]:
        """Guests in hand of the newest run; empty once it has ended, or after another boot.

        kind: only if it is of this kind.
        Whether that run is still under way, or was cut off, only the run lock tells.
        """
        rows = self._db.execute(
            "SELECT uri, uuid FROM run_guest g JOIN run r ON r.id = g.run"
            " WHERE g.outcome IS NULL AND r.id = (SELECT max(id) FROM run) AND r.ended IS NULL"
            " AND r.boot = ? AND r.kind = ifnull(?, r.kind)",
            (boot, kind),
        )
        return {GuestId(*row) for row in rows}

    def left_up(self, run: int) -> set[GuestId]:
        """Guests that a run failed to take down though it came to the end of all their steps.

        Nobody of one that was interrupted: its guests had steps that were never begun.
        """
        rows = self._db.execute(
            "SELECT uri, uuid FROM run_guest g JOIN run r ON r.id = g.run"
            " WHERE r.id = ? AND g.outcome = ? AND (r.ended IS NULL OR r.ok IS NOT NULL)"
            " AND NOT EXISTS (SELECT 1 FROM step s WHERE s.run = g.run AND s.uri = g.uri"
            "  AND s.uuid = g.uuid AND s.end IS NULL)",
            (run, Outcome.FAILED),
        )
        return {GuestId(*row) for row in rows}

    def newest_begun(self) -> int:
        """A number to ask `begun_since` with."""
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM run_guest").fetchone()[0])

    def begun_since(self, number: int) -> set[GuestId]:
        """Guests that runs began with later."""
        rows = self._db.execute("SELECT DISTINCT uri, uuid FROM run_guest WHERE id > ?", (number,))
        return {GuestId(*row) for row in rows}

    # Steps

    def begin_step(self, run: int | None, guest: GuestFacts, step: Step) -> int:
        """Recorded before the step's first call, so that a cut-off run can be picked up."""
        now = self._now()
        cursor = self._db.execute(
            "INSERT INTO step (run, uri, uuid, name, step, begun, begun_up)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run, *guest.id, guest.name, step, now.at, now.up),
        )
        if step is Step.SAVE:
            self._saves.begin(run, guest)
        return _new_row(cursor)

    def end_step(self, row: int | None, guest: GuestId, result: StepResult) -> None:
        """How the step ended."""
        now = self._now()
        self._db.execute(
            "UPDATE step SET ended = ?, ended_up = ?, end = ?, reason = ? WHERE id = ?",
            (now.at, now.up, result.end, result.reason, row),
        )
        if result.step is Step.SAVE and row is not None:
            self._saves.end(guest, result)

    def ready(self, row: int | None) -> None:
        """The guest that this step brought up is ready now."""
        self._db.execute("UPDATE step SET ready_up = ? WHERE id = ?", (self._now().up, row))

    def brought_up(self, guest: GuestId, boot: str) -> int | None:
        """When a run last brought it up in this boot, see Instant.up; None where none did."""
        query = (
            "SELECT max(s.ended_up) FROM step s JOIN run r ON r.id = s.run"
            " WHERE uri = ? AND uuid = ? AND boot = ? AND step IN (?, ?) AND end = ?"
        )
        values = (*guest, boot, Step.START, Step.RESUME, StepEnd.DONE)
        found: int | None = self._db.execute(query, values).fetchone()[0]
        return found

    def shutdowns(self) -> list[PastShutdown]:
        """Those that worked, oldest first."""
        rows = self._timed(Step.SHUTDOWN)
        return [PastShutdown(GuestId(uri, uuid), took) for uri, uuid, _, took, _ in rows]

    def starts(self) -> list[PastStart]:
        """Starts and resumes that worked, oldest first."""
        rows = self._timed(Step.START, Step.RESUME)
        return [PastStart(GuestId(uri, uuid), Step(step), *took) for uri, uuid, step, *took in rows]

    def _timed(self, *steps: Step) -> sqlite3.Cursor:
        """Those of these steps that worked: whose, which, how many seconds each took, and after how
        many more the guest was ready."""
        return self._db.execute(
            "SELECT uri, uuid, step, (ended_up - begun_up) / 1e9, (ready_up - ended_up) / 1e9"
            f" FROM step WHERE step IN ({', '.join('?' * len(steps))}) AND end = ?"
            " AND ended_up > begun_up ORDER BY id",
            (*steps, StepEnd.DONE),
        )

    def attempts(
        self, boot: str, guests: Collection[GuestId] | None = None
    ) -> dict[GuestId, tuple[Attempt, ...]]:
        """What the runs of this boot have begun with these guests, or with all, oldest first."""
        found: dict[GuestId, list[Attempt]] = {}
        for uri, uuid, *row in self._attempt_rows(boot, guests):
            with contextlib.suppress(
                ValueError
            ):  # a flipped bit has made a word that means nothing
                found.setdefault(GuestId(uri, uuid), []).append(_attempt(*row))
        return {guest: tuple(attempts) for guest, attempts in found.items()}

    def _attempt_rows(
        self, boot: str, guests: Collection[GuestId] | None
    ) -> Iterable[tuple[Any, ...]]:
        query = (
            'SELECT s.uri, s.uuid, r.id, r.kind, r."trigger", s.step, s.begun_up,'
            " s.ended_up, s.end"
            " FROM run r CROSS JOIN step s ON s.run = r.id WHERE r.boot = ?"
        )
        if guests is None:
            yield from self._db.execute(f"{query} ORDER BY s.id", (boot,))
        for guest in guests or ():
            one = f"{query} AND s.uri = ? AND s.uuid = ? ORDER BY s.id"
            yield from self._db.execute(one.replace("CROSS JOIN", "JOIN"), (boot, *guest))

    # Past ones

    def newest(self, limit: int = 20) -> list[PastRun]:
        """The newest runs, newest first."""
        rows = self._db.execute(
            'SELECT id, kind, "trigger", boot, pid, begun, ended, ok, user, origin, command'
            " FROM run ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [_past_run(*row) for row in rows]

    def guests(self, run: int) -> list[PastGuest]:
        """What became of each guest in a run; "cut off" for those whose end was not written."""
        rows = self._db.execute(
            "SELECT name, ifnull(outcome, ?), CASE WHEN outcome IS NULL THEN ifnull("
            "  (SELECT 'in ' || step FROM step s WHERE s.run = g.run AND s.uri = g.uri"
            "   AND s.uuid = g.uuid ORDER BY s.id DESC LIMIT 1), '') ELSE reason END,"
            " uuid, uri, begun, ended FROM run_guest g WHERE run = ? ORDER BY 1",
            (CUT_OFF, run),
        )
        return [PastGuest(*row) for row in rows]

    def steps(self, run: int) -> list[PastStep]:
        """The steps of a run, in the order in which they were begun."""
        rows = self._db.execute(
            "SELECT name, step, begun, ended, end, reason FROM step WHERE run = ? ORDER BY id",
            (run,),
        )
        return [PastStep(name, Step(step), *rest) for name, step, *rest in rows]

    def host_stop(self, boot: str) -> PastRun | None:
        """The newest run, if it is one of this boot that was for the host's going down."""
        for run in self.newest(1):
            if (run.kind, run.trigger, run.boot) == (RunKind.PRESERVE, Trigger.HOST_STOP, boot):
                return run
        return None

    def age(self, run: int) -> float | None:
        """How long ago a run of this boot began, in seconds; None where nobody knows."""
        query = "SELECT boot, begun_up FROM run WHERE id = ?"
        boot, up = self._db.execute(query, (run,)).fetchone()
        return self._now().seconds_since(boot, up)

    def restored_since_preserve(self, boot: str) -> frozenset[str]:
        """The connections whose guests this boot has brought back, since the host last went down.

        A soft-reboot keeps the boot's id.  A restore that was cut off is still owed; after a
        shutdown that was cancelled, also where one before it had ended: it was for guests that
        went down only then.
        """
        rows = self._db.execute(
            f'SELECT kind, "trigger", boot, ok IS NOT NULL, uris FROM run WHERE {_OF_THE_HOST}'
            " ORDER BY id DESC",
            _HOSTS_RUNS,
        )
        found: set[str] = set()
        for kind, trigger, of_boot, ended, uris in rows:
            if kind != RunKind.RESTORE or of_boot != boot:
                break
            if trigger == Trigger.CANCELLED and not ended:
                break
            if ended:
                found.update(json.loads(uris))
        return frozenset(found)


#: Runs for the host's end and for its boot.
_OF_THE_HOST = '((kind = ? AND "trigger" = ?) OR (kind = ? AND "trigger" IN (?, ?, ?)))'
_HOSTS_RUNS = (
    RunKind.PRESERVE,
    Trigger.HOST_STOP,
    RunKind.RESTORE,
    Trigger.BOOT,
    Trigger.CANCELLED,
    Trigger.SWITCHED_ON,
)


def _past_run(
    id: int, kind: str, trigger: str, boot: str, pid: int, begun: int, *more: Any
) -> PastRun:
    ended, ok, *actor = more
    done = (ended, None if ok is None else bool(ok))
    return PastRun(id, RunKind(kind), Trigger(trigger), boot, pid, begun, *done, *actor)


def _attempt(
    run: int, kind: str, trigger: str, step: str, begun: int, ended: int | None, end: str | None
) -> Attempt:
    end_of_step = StepEnd(end) if end else None
    return Attempt(run, RunKind(kind), Trigger(trigger), Step(step), begun, ended, end_of_step)


def _new_row(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None
    return cursor.lastrowid
