"""A small copy of what matters of the ledger, on another place: for when that is lost or put back.

It is made when a run has taken guests down: what it says then is what the next boot goes by.  As
soon as anything is known that it does not say, it is *spent*: it still tells that the ledger is
older than it, and who was off or held, but not any more who is to be on.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from . import schema
from .file import TROUBLE, connect, transaction
from .ledger import Ledger
from .salvage import copy_rows

_FRESH, _SPENT = "ledger-copy.db", "ledger-copy.spent.db"
_SOURCE = "guestctl:ledger"


class Age(StrEnum):
    """How the ledger compares with its copy."""

    CURRENT = "current"
    LOST = "lost"
    OLDER = "older"
    ANOTHER = "another"


class _Number(NamedTuple):
    """Which ledger it is, and how many copies were made of it so far."""

    id: str
    number: int


class SecondCopy:
    """The copy in this folder.  Methods block, and raise nothing: it is not worth failing for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, ledger: Ledger) -> None:
        """What is in the ledger now, but for runs and trails.  Outside of transactions."""
        with contextlib.suppress(*TROUBLE):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with transaction(ledger.db):
                _count(ledger.db)
            _write(self._folder / _FRESH, _small(ledger.db))
            (self._folder / _SPENT).unlink(missing_ok=True)

    def spend(self) -> None:
        """Something is known that it does not say."""
        with contextlib.suppress(OSError):
            (self._folder / _FRESH).rename(self._folder / _SPENT)

    def trouble(self) -> str:
        """Why a copy that is there could not be taken over; "" without any."""
        for name in (_FRESH, _SPENT):
            path = self._folder / name
            try:
                _read(path).close()
            except FileNotFoundError:
                continue
            except TROUBLE as error:
                return f"{path}: {error}"
        return ""

    def look(self, ledger: Ledger) -> str:
        """As the ledger is opened: take over what only the copy knows; what is said of that."""
        for name in (_FRESH, _SPENT):
            path = self._folder / name
            with contextlib.suppress(*TROUBLE), contextlib.closing(_read(path)) as copy:
                return _compare(ledger, copy, path, spent=name == _SPENT)
        return ""


def _compare(ledger: Ledger, copy: sqlite3.Connection, path: Path, *, spent: bool) -> str:
    age = _age(ledger.db, copy)
    if age is Age.CURRENT:
        return ""
    if age is Age.ANOTHER:
        return f"the ledger is another than the one of its copy {path}: it may have been put back"
    everybody = not spent or age is Age.OLDER
    with transaction(ledger.db):
        taken = _take_over(ledger, copy, everybody=everybody)
    was = "was lost" if age is Age.LOST else "is older than its copy, as if it had been put back"
    rest = "" if not spent else "; what came after the copy was made is not known"
    return f"the ledger {was}: {taken} guests are known from {path}{rest}"


def _age(ledger: sqlite3.Connection, copy: sqlite3.Connection) -> Age:
    ours, theirs = _number(ledger), _number(copy)
    if theirs is None or (ours and ours.id == theirs.id and ours.number >= theirs.number):
        return Age.CURRENT
    if ours is not None:
        return Age.OLDER if ours.id == theirs.id else Age.ANOTHER
    known = ledger.execute("SELECT EXISTS (SELECT 1 FROM guest)").fetchone()[0]
    return Age.ANOTHER if known else Age.LOST


def _take_over(ledger: Ledger, copy: sqlite3.Connection, *, everybody: bool) -> int:
    """everybody: not only those who are off or held, which can start nobody."""
    known = Ledger(copy, ledger.now).guests().values()
    taken = [r for r in known if everybody or r.wanted == "off" or r.hold is not None]
    for record in taken:
        ledger.put(record)
        ledger.trail.add(record.id, _SOURCE, "what is known of it is from the ledger's copy")
    if everybody:
        columns = "uri, uuid, memory, digest, seconds, state, refusal, image, stamps, boot, paused"
        for row in copy.execute(f"SELECT {columns} FROM save ORDER BY id").fetchall():
            ledger.db.execute(f"INSERT INTO save ({columns}) VALUES (?{', ?' * 10})", row)
    _set_number(ledger.db, _number(copy))
    return len(taken)


def _number(db: sqlite3.Connection) -> _Number | None:
    row = db.execute("SELECT id, number FROM copies").fetchone()
    return _Number(*row) if row else None


def _count(db: sqlite3.Connection) -> None:
    number = _number(db) or _Number(str(uuid.uuid4()), 0)
    _set_number(db, number._replace(number=number.number + 1))


def _set_number(db: sqlite3.Connection, number: _Number | None) -> None:
    db.execute("DELETE FROM copies")
    db.executemany("INSERT INTO copies VALUES (?, ?)", [number] if number else [])


def _small(db: sqlite3.Connection) -> bytes:
    with contextlib.closing(connect(None)) as small:
        with transaction(small):
            for table in ("guest", "save", "copies"):
                copy_rows(db, small, table)
            small.execute(
                "DELETE FROM save WHERE id NOT IN (SELECT max(id) FROM save GROUP BY uri, uuid)"
            )
        return small.serialize()


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def _read(path: Path) -> sqlite3.Connection:
    content = path.read_bytes()
    if not content:  # a MemoryError for SQLite's binding
        raise sqlite3.DatabaseError("nothing")
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.deserialize(content)
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if not 1 <= version <= schema.VERSION:
            raise sqlite3.DatabaseError(f"schema {version}")
        with transaction(db):
            schema.prepare(db, version)
    except BaseException:
        db.close()
        raise
    return db
