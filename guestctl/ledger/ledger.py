"""What guestctl knows, in SQLite: a record of each guest, with runs, saves and reason trails.

Plain blocking code over one connection; see writer.py for how a run writes to it without
waiting on the event loop.  Every method is one or a few statements of the transaction that
the caller has open, and raises sqlite3.Error.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from ..model.guest import GuestFacts, GuestId
from ..model.instant import Clock
from ..model.record import Change, GuestRecord, Wanted, flag_seen, seen_up
from ..model.stop import Certainty, How, StoppedBy
from ..model.update import Update
from .runs import Runs
from .saves import Saves
from .trail import Trail
from .watches import Watches

E = TypeVar("E", bound=StrEnum)

SCHEMA = """
CREATE TABLE guest (
    uri TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL,
    wanted TEXT, stopped_by TEXT, stopped_at INTEGER,
    stopped_boot TEXT, stopped_up INTEGER, how TEXT, certainty TEXT,
    up_boot TEXT, taken_down INTEGER NOT NULL DEFAULT 0,
    hold TEXT, held_for_save INTEGER NOT NULL DEFAULT 0, settling TEXT,
    as_of TEXT, flag INTEGER, flag_word INTEGER, up_since INTEGER,
    waits_for TEXT, waits_in TEXT, unready TEXT,
    waits_since INTEGER, given_up INTEGER NOT NULL DEFAULT 0,
    shed TEXT, shed_boot TEXT,
    PRIMARY KEY (uri, uuid)) STRICT;
CREATE TABLE copies (id TEXT NOT NULL, number INTEGER NOT NULL) STRICT;
"""


class CopyNeed(StrEnum):
    """What is to become of the ledger's copy once the transaction is over."""

    NONE = "none"
    MAKE = "make"
    SPEND = "spend"


class Ledger:
    """Reads and writes of one open ledger; see GuestRecord and the schemas for the meanings.

    A method is a statement or two; runs, saves, trails and watches have objects of their own.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        clock: Clock,
        *,
        remembers: bool = True,
        is_kept: bool = True,
        loss: str = "",
    ) -> None:
        """remembers: whether it is a file, and not a stand-in that knows of nothing before.

        is_kept: whether what is written to it outlives the process.
        loss: what is said of knowledge that was lost, for the next run to tell; empty for none.
        """
        self.remembers = remembers
        self.is_kept = is_kept
        self.loss = loss
        #: What is to become of the second copy, see second_copy.py.
        self.copy = CopyNeed.NONE
        self.db = db
        self.now = clock
        self.saves = Saves(db)
        self.runs = Runs(db, clock, self.saves)
        self.trail = Trail(db, clock)
        self.watches = Watches(db, clock)

    # What is known of guests

    def guests(self, boot: str = "") -> dict[GuestId, GuestRecord]:
        """All that is known of every guest ever recorded, with the attempts of this boot."""
        rows = self.db.execute(f"SELECT {_COLUMNS} FROM guest").fetchall()
        attempts = self.runs.attempts(boot) if boot else {}
        records = map(_record, rows)
        return {one.id: replace(one, attempts=attempts.get(one.id, ())) for one in records}

    def records(self, guests: Collection[GuestId], boot: str) -> dict[GuestId, GuestRecord]:
        """The same of a few guests; those that were never recorded are not among them."""
        found = {guest: self.guest(guest) for guest in guests}
        attempts = self.runs.attempts(boot, guests)
        return {
            guest: replace(record, attempts=attempts.get(guest, ()))
            for guest, record in found.items()
            if record is not None
        }

    def guest(self, guest: GuestId) -> GuestRecord | None:
        """What is known of one guest, without attempts."""
        query = f"SELECT {_COLUMNS} FROM guest WHERE uri = ? AND uuid = ?"
        row = self.db.execute(query, tuple(guest)).fetchone()
        return _record(row) if row else None

    def waiting(self, boot: str) -> list[GuestRecord]:
        """Guests that this boot could not bring up so far, and is still to."""
        rows = self.db.execute(f"SELECT {_COLUMNS} FROM guest WHERE waits_in = ?", (boot,))
        return [record for record in map(_record, rows) if record.waiting(boot)]

    def unready(self, boot: str) -> list[GuestRecord]:
        """Guests that are up in this boot and were not ready in time."""
        where = "up_boot = ? AND unready IS NOT NULL"
        rows = self.db.execute(f"SELECT {_COLUMNS} FROM guest WHERE {where}", (boot,))
        return [_record(row) for row in rows]

    def settling(self, boot: str) -> list[GuestRecord]:
        """Guests that were turned off in this boot, and whose settle time has not passed."""
        rows = self.db.execute(f"SELECT {_COLUMNS} FROM guest WHERE settling = ?", (boot,))
        return [_record(row) for row in rows]

    def held_for_save(self) -> list[GuestRecord]:
        """Guests that guestctl itself holds, because of their saves."""
        rows = self.db.execute(
            f"SELECT {_COLUMNS} FROM guest WHERE hold IS NOT NULL AND held_for_save"
        )
        return [_record(row) for row in rows]

    # Every change of it

    def put(self, record: GuestRecord) -> None:
        """This is what is known of the guest from now on, but for attempts, which are the runs'.

        To be put in the transaction in which it was read: others write, too.
        """
        is_news = self.guest(record.id) != replace(record, attempts=())
        if is_news and self.copy is CopyNeed.NONE:  # one that is about to be made says it as well
            self.copy = CopyNeed.SPEND
        self.db.execute(
            f"INSERT OR REPLACE INTO guest ({_COLUMNS}) VALUES (?, ?, ?{', ?' * 23})",
            _values(record),
        )

    def change(self, guest: GuestId, change: Change) -> GuestRecord | None:
        """One of the changes of model/record.py, to a guest that is known; its new record."""
        record = self.guest(guest)
        if record is not None:
            self.put(record := change(record))
        return record

    def note(self, guest: GuestFacts, change: Change) -> None:
        """The same, also to a guest of which nothing was known yet, under the name seen now."""
        record = self.guest(guest.id) or GuestRecord(guest.id, guest.name)
        self.put(change(replace(record, name=guest.name)))

    def note_up(self, guest: GuestFacts, boot: str) -> None:
        """The guest is up, for good: whatever save it had is used up."""
        now, flag = self.now().at, guest.autostart
        self.note(guest, lambda record: seen_up(flag_seen(record, flag=flag), boot, now))
        self.saves.resumed(guest.id)

    def apply(self, update: Update) -> None:
        """What a pass over a guest has found, in the transaction in which its record was read."""
        if update.record is not None:
            self.put(update.record)
        if update.verdict is not None:
            watched = update.verdict.certainty is not Certainty.INFERRED
            source = "guestctl:watch" if watched else "guestctl:inferred"
            self.trail.add_verdict(update.guest, source, update.verdict)
        for remark in update.remarks:
            self.trail.add(update.guest, *remark)
        if update.is_up:
            self.saves.resumed(update.guest)

    def forget(self, guest: GuestId) -> None:
        """The guest is no more (a transient one that is down): only its trail stays."""
        self.db.execute("DELETE FROM guest WHERE uri = ? AND uuid = ?", tuple(guest))

    def prune(self) -> None:
        """Old history goes."""
        self.runs.prune()
        self.trail.prune()
        self.saves.prune()

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


#: In the order of GuestRecord's fields.
_COLUMNS = (
    "uri, uuid, name, wanted, stopped_by, stopped_at, stopped_boot, stopped_up, how, certainty,"
    " up_boot, taken_down, hold, held_for_save, settling, as_of, flag, flag_word,"
    " waits_for, waits_in, up_since, unready, waits_since, given_up, shed, shed_boot"
)


def _values(record: GuestRecord) -> tuple[Any, ...]:
    at = (record.stopped_at, record.stopped_boot, record.stopped_up)
    stop = (record.stopped_by, *at, record.how, record.certainty)
    hold = (record.hold, record.held_for_save)
    kept = (*stop, record.up_boot, record.taken_down, *hold, record.settling)
    waits = (record.waits_for, record.waits_in)
    newer = (record.as_of, record.flag, record.flag_word, *waits, record.up_since, record.unready)
    tried = (record.waits_since, record.given_up)
    shed = (record.shed, record.shed_boot)
    return (*record.id, record.name, record.wanted, *kept, *newer, *tried, *shed)


def _record(row: tuple[Any, ...]) -> GuestRecord:
    uri, uuid, name, wanted, by, at, boot, up, how, certainty, *rest = row
    up_boot, down, hold, for_save, settling, as_of, flag, flag_word, *newer = rest
    waits_for, waits_in, up_since, unready, since, given_up, *shed = newer
    return GuestRecord(
        GuestId(uri, uuid),
        name,
        Wanted.ON if down else _word(Wanted, wanted),
        _word(StoppedBy, by),
        at,
        boot,
        up,
        _word(How, how),
        _word(Certainty, certainty),
        up_boot,
        bool(down),
        hold,
        bool(for_save),
        settling,
        as_of,
        _maybe(flag),
        _maybe(flag_word),
        waits_for,
        waits_in,
        up_since,
        unready,
        since,
        bool(given_up),
        *shed,
    )


def _maybe(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _word(kind: type[E], text: str | None) -> E | None:
    """One that a flipped bit has made mean nothing is none: the other guests are not to miss it."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        return None
