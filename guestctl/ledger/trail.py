"""The reason trail: a table of the ledger, of what became of each guest and why."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict

from ..model.guest import GuestId
from ..model.history import TrailEntry, TrailEvent
from ..model.instant import Clock
from ..model.stop import Certainty, How, StoppedBy, Verdict

SCHEMA = """
CREATE TABLE trail (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uri TEXT NOT NULL, uuid TEXT NOT NULL,
    at INTEGER NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL, verdict TEXT) STRICT;
CREATE INDEX trail_guest ON trail (uri, uuid, id);
"""
#: How many lines of each guest are kept, the newest; and of the newest of all, those of guests that
#: are no more.
KEPT, KEPT_OF_GONE = 500, 20_000


class Trail:
    """The table; every method raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._db = db
        self._now = clock

    def add(self, guest: GuestId, source: str, reason: str) -> None:
        """One more line in the guest's trail."""
        self._add(guest, source, reason, None)

    def add_verdict(self, guest: GuestId, source: str, verdict: Verdict) -> None:
        """The guest was stopped, by whomever."""
        self._add(guest, source, str(verdict), json.dumps(asdict(verdict)))

    def _add(self, guest: GuestId, source: str, reason: str, verdict: str | None) -> None:
        self._db.execute(
            "INSERT INTO trail (uri, uuid, at, source, reason, verdict) VALUES (?, ?, ?, ?, ?, ?)",
            (*guest, self._now().at, source, reason, verdict),
        )
        # At once: without a run a guest may stop and start for years.
        self._db.execute(
            "DELETE FROM trail WHERE uri = ?1 AND uuid = ?2 AND id <= (SELECT id FROM trail"
            " WHERE uri = ?1 AND uuid = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
            (*guest, KEPT),
        )

    def of(self, guest: GuestId) -> list[TrailEntry]:
        """The guest's trail, oldest first."""
        rows = self._db.execute(
            "SELECT source, reason, at FROM trail WHERE uri = ? AND uuid = ? ORDER BY id",
            tuple(guest),
        )
        return [TrailEntry(*row) for row in rows]

    def of_all(self, guests: Iterable[GuestId]) -> list[tuple[GuestId, TrailEntry]]:
        """The trails of these guests in one, in the order in which they were written."""
        query = "SELECT id, source, reason, at FROM trail WHERE uri = ? AND uuid = ?"
        found = [(*row, one) for one in guests for row in self._db.execute(query, tuple(one))]
        return [(guest, TrailEntry(*entry)) for _, *entry, guest in sorted(found)]

    def newest_verdict(self, guest: GuestId) -> Verdict | None:
        """What was said of the guest's last stop."""
        row = self._db.execute(
            "SELECT verdict FROM trail WHERE uri = ? AND uuid = ? AND verdict IS NOT NULL"
            " ORDER BY id DESC LIMIT 1",
            tuple(guest),
        ).fetchone()
        return _verdict(row[0]) if row else None

    def newest(self) -> int:
        """A number to ask `since` with."""
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM trail").fetchone()[0])

    def since(self, number: int) -> list[TrailEvent]:
        """What the trails of all guests have more than then, oldest first."""
        rows = self._db.execute(
            "SELECT t.id, t.uri, t.uuid, ifnull(g.name, ''), t.source, t.reason, t.at, t.verdict"
            " FROM trail t LEFT JOIN guest g ON g.uri = t.uri AND g.uuid = t.uuid"
            " WHERE t.id > ? ORDER BY t.id",
            (number,),
        )
        return [
            TrailEvent(
                id, GuestId(uri, uuid), name, TrailEntry(source, reason, at), _verdict(verdict)
            )
            for id, uri, uuid, name, source, reason, at, verdict in rows
        ]

    def prune(self) -> None:
        """Remove what is old of guests that are no more: transient ones come and go."""
        self._db.execute(
            "DELETE FROM trail WHERE id <= (SELECT max(id) FROM trail) - ? AND NOT EXISTS"
            " (SELECT 1 FROM guest g WHERE g.uri = trail.uri AND g.uuid = trail.uuid)",
            (KEPT_OF_GONE,),
        )


def _verdict(text: str | None) -> Verdict | None:
    if text is None:
        return None
    says = json.loads(text)
    how = How(says["how"]) if says["how"] else None
    who, certainty = StoppedBy(says["who"]), Certainty(says["certainty"])
    return Verdict(who, how, certainty, tuple(says["evidence"]))
