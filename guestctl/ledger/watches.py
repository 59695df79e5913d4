"""The ledger's table of boots in which a service followed the guests, to their end or not.

A watch that a crash or a power cut ended is not over here: it saw all that there was to see.
"""

from __future__ import annotations

import sqlite3

from ..model.instant import Clock

#: How many boots are kept, the newest.
KEPT_WATCHES = 50

SCHEMA = """
CREATE TABLE watch (
    id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL UNIQUE, ended INTEGER) STRICT;
"""


class Watches:
    """The table; every method raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._db = db
        self._now = clock

    def begin(self, boot: str) -> None:
        """A service follows the guests from now on in this boot."""
        self._db.execute(
            "INSERT INTO watch (boot) VALUES (?) ON CONFLICT (boot) DO UPDATE SET ended = NULL",
            (boot,),
        )
        self._db.execute(
            "DELETE FROM watch WHERE id NOT IN (SELECT id FROM watch ORDER BY id DESC LIMIT ?)",
            (KEPT_WATCHES,),
        )

    def end(self, boot: str) -> None:
        """Nobody follows them any more, and the host stays up."""
        self._db.execute("UPDATE watch SET ended = ? WHERE boot = ?", (self._now().at, boot))

    def ended(self) -> frozenset[str]:
        """Boots whose guests were left to themselves before the host went down."""
        rows = self._db.execute("SELECT boot FROM watch WHERE ended IS NOT NULL")
        return frozenset(boot for (boot,) in rows)
