"""What guestctl knows: wanted, holds, saves, runs and the reason trail, in SQLite.

Plain blocking code over one connection; see scribe.py for how a run writes to it without
waiting on the event loop.  Every method is one or a few statements of the transaction that
the caller has open, and raises sqlite3.Error.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..model.guest import GuestFacts, GuestId
from ..model.history import PastGuest, PastRun, PastStep
from ..model.plan import RunKind, Step
from ..model.record import GuestRecord, Wanted
from ..model.result import GuestResult, RunResult, StepEnd, StepResult, Trigger
from ..model.stop import Certainty, How, Intent, StoppedBy, Verdict
from .hands import Hands
from .saves import Saves
from .trail import Trail

#: How many runs are kept, the newest.
KEPT_RUNS = 200
#: A step that was cut off longer ago has come to nothing.
CARRIED_OUT_NS = 1800 * 10**9


class Ledger:
    """Reads and writes of one open ledger; see GuestRecord and the schema for the meanings."""

    def __init__(
        self, db: sqlite3.Connection, clock: Callable[[], int], *, remembers: bool = True
    ) -> None:
        """remembers: whether it is a file, and not a stand-in that knows of nothing before."""
        self.remembers = remembers
        self.db = db
        self.saves = Saves(db)
        self.hands = Hands(db)
        self.trail = Trail(db, clock)
        self._now = clock

    # Runs

    def begin_run(self, kind: RunKind, trigger: Trigger, boot: str) -> int:
        """A new run's number; the run counts as cut off until end_run."""
        cursor = self.db.execute(
            "INSERT INTO run (kind, door, boot, pid, begun) VALUES (?, ?, ?, ?, ?)",
            (kind, trigger, boot, os.getpid(), self._now()),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_run(self, result: RunResult, uris: Iterable[str] = ()) -> None:
        """The run is over, and has dealt with all guests of these connections; old history goes."""
        ok = None if result.interrupted else int(result.ok)
        self.db.execute(
            "UPDATE run SET ended = ?, ok = ?, uris = ? WHERE id = ?",
            (self._now(), ok, json.dumps(sorted(uris)), result.run),
        )
        self._prune()

    def _prune(self) -> None:
        # Not those that tell what this boot owes, however many runs of operators came since.
        self.db.execute(
            "DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - ? AND id NOT IN"
            " (SELECT id FROM run WHERE (kind = ? AND door = ?) OR (kind = ? AND door IN (?, ?))"
            "  ORDER BY id DESC LIMIT ?)",
            (KEPT_RUNS, *_OF_THE_HOST, KEPT_RUNS),
        )
        self.trail.prune()
        self.saves.prune()

    def runs(self, limit: int = 20) -> list[PastRun]:
        """The newest runs, newest first."""
        rows = self.db.execute(
            "SELECT id, kind, door, boot, pid, begun, ended, ok FROM run ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [
            PastRun(id, RunKind(kind), Trigger(trigger), boot, pid, begun, ended, _maybe_bool(ok))
            for id, kind, trigger, boot, pid, begun, ended, ok in rows
        ]

    def run_guests(self, run: int) -> list[PastGuest]:
        """What became of each guest in a run; "cut off" for those whose end was not written."""
        rows = self.db.execute(
            "SELECT name, outcome, reason FROM outcome WHERE run = ?1"
            " UNION ALL SELECT name, 'cut off', 'in ' || step FROM step WHERE id IN"
            "  (SELECT max(id) FROM step s WHERE run = ?1 AND NOT EXISTS (SELECT 1 FROM outcome o"
            "   WHERE o.run = ?1 AND o.uri = s.uri AND o.uuid = s.uuid) GROUP BY uri, uuid)"
            " ORDER BY 1",
            (run,),
        )
        return [PastGuest(*row) for row in rows]

    def being_taken_down(self, guest: GuestId, boot: str) -> bool:
        """Whether the last that was begun with the guest, in this boot, was to take it down, and
        was cut off: libvirt or the guest may still carry it out, for half an hour at most."""
        since = self._now() - CARRIED_OUT_NS
        row = self.db.execute(
            "SELECT s.ended IS NULL AND s.step IN (?, ?, ?) AND r.boot = ? AND s.begun >= ?"
            " FROM step s JOIN run r ON r.id = s.run WHERE s.uri = ? AND s.uuid = ?"
            " ORDER BY s.id DESC LIMIT 1",
            (Step.SAVE, Step.SHUTDOWN, Step.POWEROFF, boot, since, *guest),
        ).fetchone()
        return bool(row and row[0])

    def intent(self, guest: GuestId, boot: str, window: float) -> Intent | None:
        """What the newest run with the guest had begun in order to take it down, without success.

        None where that was in another boot, or ended longer ago than `window` (in seconds): the
        guest would have gone down by then.
        """
        since = self._now() - round(window * 1e9)
        rows = self.db.execute(
            "SELECT r.kind, s.step FROM step s JOIN run r ON r.id = s.run"
            " WHERE s.uri = ?1 AND s.uuid = ?2 AND r.boot = ?3 AND r.kind IN (?4, ?5)"
            " AND ifnull(s.ended, s.begun) >= ?7 AND r.id ="
            "  (SELECT max(run) FROM step WHERE uri = ?1 AND uuid = ?2)"
            " AND NOT EXISTS (SELECT 1 FROM step d WHERE d.run = r.id AND d.uri = ?1"
            "  AND d.uuid = ?2 AND d.end = ?6)",
            (*guest, boot, RunKind.PRESERVE, RunKind.SHUTDOWN, StepEnd.DONE, since),
        ).fetchall()
        if not rows:
            return None
        by = StoppedBy.OPERATOR if rows[0][0] == RunKind.SHUTDOWN else StoppedBy.HOST
        return Intent(by, frozenset(Step(step) for _, step in rows))

    def asked_in_vain(self, boot: str) -> set[GuestId]:
        """Guests whose last step was to take them down for the host, in this boot, and did not.

        libvirt or the guest may still carry it out.
        """
        rows = self.db.execute(
            "SELECT g.uri, g.uuid FROM guest g JOIN step s ON s.id ="
            "  (SELECT max(id) FROM step WHERE uri = g.uri AND uuid = g.uuid)"
            " JOIN run r ON r.id = s.run WHERE g.taken_down AND g.hold IS NULL"
            " AND r.kind = ? AND r.door = ? AND r.boot = ? AND s.end IS NOT ?",
            (RunKind.PRESERVE, Trigger.HOST_STOP, boot, StepEnd.DONE),
        )
        return {GuestId(*row) for row in rows}

    def host_stop(self, boot: str) -> PastRun | None:
        """The newest run, if it is one of this boot that was for the host's going down."""
        for run in self.runs(1):
            if (run.kind, run.trigger, run.boot) == (RunKind.PRESERVE, Trigger.HOST_STOP, boot):
                return run
        return None

    def run_steps(self, run: int) -> list[PastStep]:
        """The steps of a run, in the order in which they were begun."""
        rows = self.db.execute(
            "SELECT name, step, begun, ended, end, reason FROM step WHERE run = ? ORDER BY id",
            (run,),
        )
        return [PastStep(name, Step(step), *rest) for name, step, *rest in rows]

    def restored_since_preserve(self, boot: str) -> frozenset[str]:
        """The connections whose guests this boot has brought back, since the host last went down.

        A soft-reboot keeps the boot's id.  A restore that was cut off is still owed; after a
        shutdown that was cancelled, also where one before it had ended: it was for guests that
        went down only then.
        """
        rows = self.db.execute(
            "SELECT kind, door, boot, ok IS NOT NULL, uris FROM run"
            " WHERE (kind = ? AND door = ?) OR (kind = ? AND door IN (?, ?)) ORDER BY id DESC",
            _OF_THE_HOST,
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

    # Steps of a run

    def begin_step(self, run: int | None, guest: GuestFacts, step: Step) -> int:
        """Recorded before the step's first call, so that a cut-off run can be picked up."""
        cursor = self.db.execute(
            "INSERT INTO step (run, uri, uuid, name, step, begun) VALUES (?, ?, ?, ?, ?, ?)",
            (run, *guest.id, guest.name, step, self._now()),
        )
        if step is Step.SAVE:
            self.saves.begin(run, guest)
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_step(self, row: int | None, guest: GuestId, result: StepResult) -> None:
        """How the step ended."""
        self.db.execute(
            "UPDATE step SET ended = ?, end = ?, reason = ? WHERE id = ?",
            (self._now(), result.end, result.reason, row),
        )
        if result.step is Step.SAVE and row is not None:
            self.saves.end(guest, result)

    def end_guest(self, run: int | None, result: GuestResult) -> None:
        """How the run ended for one guest; nothing for a run that could not be recorded."""
        if run is None:
            return
        self.db.execute(
            "INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?)",
            (run, *result.guest, result.name, result.outcome, result.reason),
        )
        self.hands.let_go(run, result.guest)

    # What is known of guests

    def guests(self) -> dict[GuestId, GuestRecord]:
        """All that is known of every guest ever recorded."""
        rows = self.db.execute(f"SELECT {_KNOWN} FROM guest").fetchall()
        tried = self._tried()
        return {known.id: known for known in (_known(row, tried) for row in rows)}

    def guest(self, guest: GuestId) -> GuestRecord | None:
        """All that is known of one guest."""
        query = f"SELECT {_KNOWN} FROM guest WHERE uri = ? AND uuid = ?"
        row = self.db.execute(query, tuple(guest)).fetchone()
        return _known(row, self._tried()) if row else None

    def _tried(self) -> dict[GuestId, set[Step]]:
        """What preserves have begun with guests that they took down, in the boot of each."""
        # Runs first: those of one boot are few, and this is asked before every run.
        rows = self.db.execute(
            "SELECT DISTINCT s.uri, s.uuid, s.step FROM run r CROSS JOIN step s ON s.run = r.id"
            " CROSS JOIN guest g ON g.uri = s.uri AND g.uuid = s.uuid WHERE r.kind = ?"
            " AND r.boot IN (SELECT up_boot FROM guest WHERE taken_down)"
            " AND g.taken_down AND g.up_boot = r.boot",
            (RunKind.PRESERVE,),
        )
        found: dict[GuestId, set[Step]] = {}
        for uri, uuid, step in rows:
            found.setdefault(GuestId(uri, uuid), set()).add(Step(step))
        return found

    def seen_up(self, guest: GuestFacts, boot: str) -> None:
        """The guest is up now: it is wanted on, and nobody stopped it."""
        self._note(guest.id, guest.name)
        self.db.execute(
            "UPDATE guest SET wanted = ?, stopped_by = NULL, stopped_at = NULL, how = NULL,"
            " certainty = NULL, up_boot = ?, taken_down = 0, unsettled = NULL"
            " WHERE uri = ? AND uuid = ?",
            (Wanted.ON, boot, *guest.id),
        )
        self.saves.resumed(guest.id)

    def taking_down(self, guest: GuestFacts) -> None:
        """A run is about to take the guest down for the host's sake: it owes it a start."""
        self.db.execute(
            "UPDATE guest SET wanted = ?, stopped_by = ?, stopped_at = ?, how = NULL,"
            " certainty = NULL, taken_down = 1 WHERE uri = ? AND uuid = ?",
            (Wanted.ON, StoppedBy.HOST, self._now(), *guest.id),
        )

    def seen_down(self, guest: GuestId) -> None:
        """The run that was to take the guest down has seen it down: whatever did it, it is owed."""
        self.db.execute("UPDATE guest SET up_boot = NULL WHERE uri = ? AND uuid = ?", tuple(guest))

    def taken(self, guest: GuestId, source: str, verdict: Verdict) -> None:
        """In which way a run took the guest down, as it has seen itself."""
        self.db.execute(
            "UPDATE guest SET how = ?, certainty = ? WHERE uri = ? AND uuid = ?",
            (verdict.how, verdict.certainty, *guest),
        )
        self.trail.add_verdict(guest, source, verdict)

    def want(self, guest: GuestFacts, wanted: Wanted, by: StoppedBy | None = None) -> None:
        """Somebody decided whether the guest should run; `by` when it is down because of it.

        Until it is seen up again, no stop of before says anything against a guest wanted on.
        """
        self._note(guest.id, guest.name)
        stopped_at = self._now() if by else None
        self.db.execute(
            "UPDATE guest SET wanted = ?, stopped_by = ?, stopped_at = ?, how = NULL,"
            " certainty = NULL, taken_down = 0, up_boot = NULL, unsettled = NULL"
            " WHERE uri = ? AND uuid = ?",
            (wanted, by, stopped_at, *guest.id),
        )

    def judge(self, guest: GuestFacts, wanted: Wanted, verdict: Verdict) -> None:
        """The guest was stopped, by whomever: what is wanted of it from now on, and the trail."""
        self.want(guest, wanted, verdict.who)
        owed = wanted is Wanted.ON and verdict.who is not StoppedBy.USER
        self.db.execute(
            "UPDATE guest SET how = ?, certainty = ?, taken_down = ? WHERE uri = ? AND uuid = ?",
            (verdict.how, verdict.certainty, int(owed), *guest.id),
        )
        watched = verdict.certainty is not Certainty.INFERRED
        source = "guestctl:watch" if watched else "guestctl:inferred"
        self.trail.add_verdict(guest.id, source, verdict)

    def operators_word_goes(self, guest: GuestId) -> None:
        """The host's run took down a guest that an operator was just shutting down."""
        self.db.execute(
            "UPDATE guest SET wanted = ?, stopped_by = ?, taken_down = 0, up_boot = NULL"
            " WHERE uri = ? AND uuid = ?",
            (Wanted.OFF, StoppedBy.OPERATOR, *guest),
        )

    def unsettle(self, guest: GuestId, boot: str) -> None:
        """The guest was turned off just now, in this boot: the host may be about to go down."""
        self.db.execute("UPDATE guest SET unsettled = ? WHERE uri = ? AND uuid = ?", (boot, *guest))

    def unsettled(self, boot: str) -> list[GuestRecord]:
        """Guests that were turned off in this boot, and whose settle time has not passed."""
        rows = self.db.execute(f"SELECT {_KNOWN} FROM guest WHERE unsettled = ?", (boot,))
        return [_known(row, {}) for row in rows]

    def settle(self, guest: GuestId) -> None:
        """The host stayed up: whoever turned the guest off meant it."""
        self.db.execute(
            "UPDATE guest SET unsettled = NULL WHERE uri = ? AND uuid = ?", tuple(guest)
        )

    def was_hosts_doing(self, guest: GuestId) -> None:
        """The host goes down so soon after the guest's stop that it comes back."""
        self.db.execute(
            "UPDATE guest SET wanted = ?, stopped_by = ?, certainty = ?, taken_down = 1,"
            " up_boot = NULL WHERE uri = ? AND uuid = ?",
            (Wanted.ON, StoppedBy.HOST, Certainty.LIKELY, *guest),
        )

    def was_not_hosts_doing(self, guest: GuestId) -> None:
        """The host stays up after all, and so does the word of whoever stopped the guest."""
        verdict = self.trail.newest_verdict(guest)
        who = verdict.who if verdict else StoppedBy.UNKNOWN
        certainty = verdict.certainty if verdict else None
        self.db.execute(
            "UPDATE guest SET wanted = ?, stopped_by = ?, certainty = ?, taken_down = 0"
            " WHERE uri = ? AND uuid = ?",
            (Wanted.OFF, who, certainty, *guest),
        )

    def rename(self, guest: GuestId, name: str) -> None:
        """The guest has another name; runs of before keep the old one."""
        self.db.execute("UPDATE guest SET name = ? WHERE uri = ? AND uuid = ?", (name, *guest))

    def undecided(self, guest: GuestId) -> None:
        """The guest is no more: nothing is wanted of it; a hold and its trail stay."""
        self.db.execute(
            "UPDATE guest SET wanted = NULL, stopped_by = NULL, stopped_at = NULL, how = NULL,"
            " certainty = NULL, up_boot = NULL, taken_down = 0, unsettled = NULL"
            " WHERE uri = ? AND uuid = ?",
            tuple(guest),
        )

    def hold(self, guest: GuestFacts, reason: str | None, *, for_save: bool = False) -> None:
        """Hold the guest for a reason, or release it with None."""
        self._note(guest.id, guest.name)
        self.db.execute(
            "UPDATE guest SET hold = ?, held_for_save = ? WHERE uri = ? AND uuid = ?",
            (reason, int(for_save), *guest.id),
        )

    def forget(self, guest: GuestId) -> None:
        """The guest is no more (a transient one that is down): only its trail stays."""
        self.db.execute("DELETE FROM guest WHERE uri = ? AND uuid = ?", tuple(guest))

    def _note(self, guest: GuestId, name: str) -> None:
        self.db.execute(
            "INSERT INTO guest (uri, uuid, name) VALUES (?, ?, ?)"
            " ON CONFLICT (uri, uuid) DO UPDATE SET name = excluded.name",
            (*guest, name),
        )

    def release_for_save(self, guest: GuestId) -> None:
        """End a hold that guestctl itself put on the guest because of its save."""
        self.db.execute(
            "UPDATE guest SET hold = NULL, held_for_save = 0"
            " WHERE uri = ? AND uuid = ? AND held_for_save",
            tuple(guest),
        )

    def put_back(self, known: GuestRecord) -> None:
        """What was known of the guest before, where nothing is known to have come of a run."""
        self.db.execute(
            "UPDATE guest SET wanted = ?, stopped_by = ?, stopped_at = ?, how = ?, certainty = ?,"
            " up_boot = ?, taken_down = ?, unsettled = ? WHERE uri = ? AND uuid = ?",
            (
                known.wanted,
                known.stopped_by,
                known.stopped_at,
                known.how,
                known.certainty,
                known.up_boot,
                int(known.taken_down),
                known.unsettled,
                *known.id,
            ),
        )

    # Names

    def known_as(self, name: str) -> list[GuestId]:
        """Guests that were recorded under this name; where there is none, with this UUID."""
        by_name = self.db.execute(
            "SELECT uri, uuid FROM guest WHERE name = ?1"
            " UNION SELECT uri, uuid FROM step WHERE name = ?1",
            (name,),
        ).fetchall()
        by_uuid = self.db.execute(
            "SELECT DISTINCT uri, uuid FROM trail WHERE uuid = lower(?)", (name,)
        )
        return [GuestId(*row) for row in by_name or by_uuid]


#: Runs for the host's end and for its boot, as parameters.
_OF_THE_HOST = (
    RunKind.PRESERVE,
    Trigger.HOST_STOP,
    RunKind.RESTORE,
    Trigger.BOOT,
    Trigger.CANCELLED,
)

_KNOWN = (
    "uri, uuid, name, wanted, stopped_by, stopped_at, up_boot, taken_down, hold, held_for_save,"
    " unsettled, how, certainty"
)


def _known(row: tuple[Any, ...], tried: Mapping[GuestId, Collection[Step]]) -> GuestRecord:
    uri, uuid, name, wanted, stopped_by, stopped_at, up_boot, taken_down, hold, *rest = row
    for_save, unsettled, how, certainty = rest
    return GuestRecord(
        GuestId(uri, uuid),
        name,
        Wanted(wanted) if wanted else None,
        StoppedBy(stopped_by) if stopped_by else None,
        stopped_at,
        up_boot,
        bool(taken_down),
        hold,
        bool(for_save),
        unsettled,
        frozenset(tried.get(GuestId(uri, uuid), ())),
        How(how) if how else None,
        Certainty(certainty) if certainty else None,
    )


def _maybe_bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)
