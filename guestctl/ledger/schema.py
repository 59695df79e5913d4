"""The ledger's tables, and how those of earlier versions become today's."""

from __future__ import annotations

import sqlite3

from . import ledger, runs, saves, trail, watches

VERSION = 4
_TABLES = ledger.SCHEMA + runs.SCHEMA + saves.SCHEMA + trail.SCHEMA + watches.SCHEMA

#: To version 2, of guestctl 0.2: the field's words, and one table for what `hand` (guests in hand)
#: and `outcome` (what became of them) had apart.  Of guests whose end was not written, what was
#: begun with them is there still, in steps or in `hand`.
_FROM_1 = """
ALTER TABLE guest RENAME COLUMN unsettled TO settling;
ALTER TABLE run RENAME COLUMN door TO "trigger";
CREATE TABLE run_guest (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    uri TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, begun INTEGER, ended INTEGER,
    outcome TEXT, reason TEXT NOT NULL DEFAULT '', UNIQUE (run, uri, uuid)) STRICT;
INSERT INTO run_guest (run, uri, uuid, name, begun, ended, outcome, reason)
    SELECT o.run, o.uri, o.uuid, o.name, min(s.begun), ifnull(max(s.ended), r.ended), o.outcome,
        o.reason FROM outcome o JOIN run r ON r.id = o.run LEFT JOIN step s
        ON s.run = o.run AND s.uri = o.uri AND s.uuid = o.uuid GROUP BY o.run, o.uri, o.uuid;
INSERT OR IGNORE INTO run_guest (run, uri, uuid, name, begun)
    SELECT run, uri, uuid, name, min(begun) FROM step WHERE run IS NOT NULL
        GROUP BY run, uri, uuid;
INSERT OR IGNORE INTO run_guest (run, uri, uuid, name, begun)
    SELECT h.run, h.uri, h.uuid, ifnull(g.name, h.uuid), r.begun FROM hand h
        JOIN run r ON r.id = h.run LEFT JOIN guest g ON g.uri = h.uri AND g.uuid = h.uuid
        WHERE NOT h.let_go;
DROP TABLE hand;
DROP TABLE outcome;
"""

#: To version 3, of guestctl 0.3: the boot to which what is said belongs; libvirt's autostart flag
#: as last seen, and what was last said by changing it; what guests wait for; boots that were
#: watched; who began a run, and since when a guest is up; times on a clock that is never set,
#: where all that was before counts as long ago.
_FROM_2 = """
ALTER TABLE guest ADD COLUMN as_of TEXT;
UPDATE guest SET as_of = up_boot;
ALTER TABLE guest ADD COLUMN flag INTEGER;
ALTER TABLE guest ADD COLUMN flag_word INTEGER;
ALTER TABLE guest ADD COLUMN waits_for TEXT;
ALTER TABLE guest ADD COLUMN waits_in TEXT;
ALTER TABLE guest ADD COLUMN up_since INTEGER;
ALTER TABLE run ADD COLUMN user TEXT;
ALTER TABLE run ADD COLUMN origin TEXT;
ALTER TABLE run ADD COLUMN command TEXT;
ALTER TABLE save ADD COLUMN paused TEXT;
CREATE TABLE watch (
    id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL UNIQUE, ended INTEGER) STRICT;
CREATE TABLE copies (id TEXT NOT NULL, number INTEGER NOT NULL) STRICT;
ALTER TABLE guest ADD COLUMN stopped_boot TEXT;
ALTER TABLE guest ADD COLUMN stopped_up INTEGER;
ALTER TABLE run ADD COLUMN begun_up INTEGER;
ALTER TABLE step ADD COLUMN begun_up INTEGER NOT NULL DEFAULT 0;
ALTER TABLE step ADD COLUMN ended_up INTEGER;
UPDATE step SET ended_up = 0 WHERE ended IS NOT NULL;
"""

#: To version 4, of guestctl 0.4: why a guest that is up is not ready; since when a guest that waits
#: is tried, and whether it was given up; when a guest that was started was ready; who is shed.
_FROM_3 = """
ALTER TABLE guest ADD COLUMN unready TEXT;
ALTER TABLE guest ADD COLUMN waits_since INTEGER;
ALTER TABLE guest ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0;
ALTER TABLE step ADD COLUMN ready_up INTEGER;
ALTER TABLE guest ADD COLUMN shed TEXT;
ALTER TABLE guest ADD COLUMN shed_boot TEXT;
"""
_UPGRADES = {1: _FROM_1, 2: _FROM_2, 3: _FROM_3}


def prepare(db: sqlite3.Connection, version: int) -> None:
    """Make the tables, or those of an earlier version today's, inside the caller's transaction.

    version: the file's; 0 for a new one.
    """
    scripts = [_UPGRADES[old] for old in range(version, VERSION)] if version else [_TABLES]
    for script in scripts:
        for statement in filter(str.strip, script.split(";")):
            db.execute(statement)
    # Written each time: it makes SQLite create the WAL file now, before the directory sync.
    db.execute(f"PRAGMA user_version = {VERSION}")
