"""Whom runs have in hand: a table of the ledger, for whoever watches guests meanwhile.

A guest is in hand from the moment a run writes down what it is about to do with it until the
run writes down what became of it.
"""

from __future__ import annotations

import sqlite3

from ..model.guest import GuestId
from ..model.plan import RunKind

SCHEMA = """
CREATE TABLE hand (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    uri TEXT NOT NULL, uuid TEXT NOT NULL, let_go INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX hand_run ON hand (run);
"""


class Hands:
    """The table; every method raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def take(self, run: int | None, guest: GuestId) -> None:
        """A run begins with the guest; nothing for a run that could not be recorded."""
        if run is not None:
            query = "INSERT INTO hand (run, uri, uuid) VALUES (?, ?, ?)"
            self._db.execute(query, (run, *guest))

    def let_go(self, run: int, guest: GuestId) -> None:
        """What became of the guest is written down."""
        query = "UPDATE hand SET let_go = 1 WHERE run = ? AND uri = ? AND uuid = ?"
        self._db.execute(query, (run, *guest))

    def held(self, boot: str, kind: RunKind | None = None) -> set[GuestId]:
        """Guests in hand of the newest run; empty once it has ended, or after another boot.

        kind: only if it is of this kind.
        Whether that run is still under way, or was cut off, only the run lock tells.
        """
        rows = self._db.execute(
            "SELECT DISTINCT uri, uuid FROM hand h JOIN run r ON r.id = h.run WHERE NOT h.let_go"
            " AND r.id = (SELECT max(id) FROM run) AND r.ended IS NULL AND r.boot = ?"
            " AND r.kind = ifnull(?, r.kind)",
            (boot, kind),
        )
        return {GuestId(*row) for row in rows}

    def newest(self) -> int:
        """A number to ask `taken_since` with."""
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM hand").fetchone()[0])

    def taken_since(self, number: int) -> set[GuestId]:
        """Guests that runs began with later."""
        rows = self._db.execute("SELECT DISTINCT uri, uuid FROM hand WHERE id > ?", (number,))
        return {GuestId(*row) for row in rows}
