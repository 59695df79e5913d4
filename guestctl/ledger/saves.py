"""What the ledger knows of managed saves: what they took, and whether one is still true."""

from __future__ import annotations

import contextlib
import sqlite3

from ..model.guest import GuestFacts, GuestId, State
from ..model.plan import Step
from ..model.result import StepEnd, StepResult
from ..model.save import PastSave, SaveRecord, SaveState

#: How many saves of each guest are remembered.
KEPT_SAVES = 10
#: Steps that are further apart, in nanoseconds, belong to several stops of the host.
_SAME_STOP = 1800 * 10**9

SCHEMA = """
CREATE TABLE save (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uri TEXT NOT NULL, uuid TEXT NOT NULL, run INTEGER,
    memory INTEGER NOT NULL, digest TEXT NOT NULL, seconds REAL, state TEXT NOT NULL,
    refusal TEXT, image TEXT, stamps TEXT, boot TEXT, paused TEXT) STRICT;
CREATE INDEX save_guest ON save (uri, uuid, id);
"""

_NEWEST = "id = (SELECT max(id) FROM save WHERE uri = ? AND uuid = ?)"


#: States of a save that is no more, or never was: what is there now is another one.
_OVER = (SaveState.FAILED, SaveState.DISCARDED, SaveState.RESUMED)


class Saves:
    """The ledger's table of saves; each method raises sqlite3.Error, as Ledger's do.

    A method for each thing that can happen to a save, most of them one statement.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def begin(self, run: int | None, guest: GuestFacts) -> None:
        """A save is about to be asked for."""
        paused = guest.reason if guest.state is State.PAUSED else None
        self._db.execute(
            "INSERT INTO save (uri, uuid, run, memory, digest, state, paused)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*guest.id, run, guest.memory, guest.info.digest, SaveState.BEGUN, paused),
        )

    def end(self, guest: GuestId, result: StepResult) -> None:
        """How the newest save ended."""
        state = SaveState.DONE if result.end is StepEnd.DONE else SaveState.FAILED
        refusal = result.reason if result.refused else None
        self._db.execute(
            f"UPDATE save SET seconds = ?, state = ?, refusal = ? WHERE {_NEWEST}",
            (result.seconds, state, refusal, *guest),
        )

    def stamp(self, guest: GuestId, image: str | None, stamps: str | None) -> None:
        """What the newest save's image and the guest's disks looked like once QEMU had ended."""
        self._db.execute(
            f"UPDATE save SET image = ?, stamps = ? WHERE {_NEWEST}", (image, stamps, *guest)
        )

    def found(self, guest: GuestId, image: str | None, stamps: str | None) -> None:
        """A save that somebody else made, or that outlived its client, was seen to end."""
        self._db.execute(
            "INSERT INTO save (uri, uuid, memory, digest, state, image, stamps)"
            " VALUES (?, ?, 0, '', ?, ?, ?)",
            (*guest, SaveState.DONE, image, stamps),
        )

    def used(self, guest: GuestId, image: str) -> None:
        """The guest ran on after this save was made: it must not be resumed from it."""
        self._db.execute(
            "INSERT INTO save (uri, uuid, memory, digest, state, image) VALUES (?, ?, 0, '', ?, ?)",
            (*guest, SaveState.RESUMED, image or None),
        )

    def of(self, guest: GuestId) -> tuple[PastSave, ...]:
        """The guest's saves that guestctl knows of, newest first."""
        rows = self._db.execute(
            "SELECT state, image, stamps, boot FROM save WHERE uri = ? AND uuid = ?"
            " ORDER BY id DESC",
            tuple(guest),
        )
        return tuple(PastSave(SaveState(state), *rest) for state, *rest in rows)

    def newest(self, guest: GuestId) -> PastSave | None:
        """The newest of them."""
        return next(iter(self.of(guest)), None)

    def paused(self, guest: GuestId) -> str:
        """libvirt's word for why the guest was paused when it was last saved; empty if it ran."""
        query = f"SELECT paused FROM save WHERE {_NEWEST}"
        row = self._db.execute(query, tuple(guest)).fetchone()
        return (row and row[0]) or ""

    def asked_before(self, guest: GuestId) -> bool:
        """Whether runs asked it to shut down shortly before they did something else with it.

        Since it was last brought up, in the boot of the newest step that took it down; starts that
        failed since count for nothing.
        """
        query = (
            "SELECT 1 FROM step s JOIN run r ON r.id = s.run,"
            " (SELECT r.boot, s.begun_up FROM step s JOIN run r ON r.id = s.run"
            "  WHERE uri = ?1 AND uuid = ?2 AND step NOT IN (?5, ?6)"
            "  ORDER BY s.id DESC LIMIT 1) newest"
            " WHERE s.uri = ?1 AND s.uuid = ?2 AND s.step = ?3 AND r.boot = newest.boot"
            " AND newest.begun_up - s.begun_up < ?4 AND s.id > ifnull((SELECT max(id) FROM step"
            "  WHERE uri = ?1 AND uuid = ?2 AND step IN (?5, ?6) AND end = ?7), 0)"
        )
        values = (*guest, Step.SHUTDOWN, _SAME_STOP, Step.START, Step.RESUME, StepEnd.DONE)
        return self._db.execute(query, values).fetchone() is not None

    def resuming(self, guest: GuestId, boot: str, image: str | None) -> None:
        """The guest is about to be resumed from its save, whoever made that."""
        newest = self.newest(guest)
        if newest is None or newest.state in _OVER or newest.image != image:
            self._db.execute(
                "INSERT INTO save (uri, uuid, memory, digest, state, boot, image)"
                " VALUES (?, ?, 0, '', ?, ?, ?)",
                (*guest, SaveState.RESUMING, boot, image),
            )
            return
        self._db.execute(
            f"UPDATE save SET state = ?, boot = ?, image = ? WHERE {_NEWEST}",
            (SaveState.RESUMING, boot, image, *guest),
        )

    def resumed(self, guest: GuestId) -> None:
        """The guest is up, or its save is gone: it must not be resumed from that save again."""
        self._db.execute(
            f"UPDATE save SET state = ? WHERE state IN (?, ?) AND {_NEWEST}",
            (SaveState.RESUMED, SaveState.RESUMING, SaveState.DONE, *guest),
        )

    def not_resumed(self, guest: GuestId) -> None:
        """libvirt failed to resume the guest: its save is as it was."""
        self._db.execute(
            "UPDATE save SET boot = NULL, state = CASE WHEN stamps IS NULL THEN ? ELSE ? END"
            f" WHERE {_NEWEST}",
            (SaveState.BEGUN, SaveState.DONE, *guest),
        )

    def discarded(self, guest: GuestId) -> None:
        """A person had the save discarded."""
        self._db.execute(
            f"UPDATE save SET state = ? WHERE {_NEWEST}", (SaveState.DISCARDED, *guest)
        )

    def all(self) -> list[SaveRecord]:
        """All recorded saves, oldest first, for estimates and known refusals."""
        rows = self._db.execute(
            "SELECT uri, uuid, memory, digest, seconds, state, refusal, run FROM save ORDER BY id"
        )
        found = []
        for uri, uuid, memory, digest, seconds, state, refusal, run in rows:
            with contextlib.suppress(
                ValueError
            ):  # a flipped bit has made a word that means nothing
                of_save = (memory, digest, seconds, SaveState(state), refusal, run)
                found.append(SaveRecord(GuestId(uri, uuid), *of_save))
        return found

    def prune(self) -> None:
        """Forget all but the newest of each guest."""
        self._db.execute(
            "DELETE FROM save WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"
            " (PARTITION BY uri, uuid ORDER BY id DESC) AS nth FROM save) WHERE nth > ?)",
            (KEPT_SAVES,),
        )
