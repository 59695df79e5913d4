"""The ledger's file: opening it, bringing it up to date, its transactions."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from . import schema

#: Seconds to wait for another process that is writing.
LOCK_TIMEOUT = 10.0


class LedgerTooNew(Exception):
    """The file was written by a newer guestctl; reading it could lose what it says."""


#: What using a ledger can raise.  SQLite has no checksums: a flipped bit can make a word that
#: means nothing (ValueError) or a message that is no text (UnicodeError, a ValueError).
TROUBLE = (sqlite3.Error, LedgerTooNew, OSError, ValueError, OverflowError)


def connect(path: Path | None) -> sqlite3.Connection:
    """A connection to the file, made if need be; None for one in memory.

    Raises one of TROUBLE.  What was committed survives a power cut: WAL
    with synchronous=FULL syncs at each commit, and the directory is synced here, once the
    files exist (SQLite does not do that for a WAL file).
    """
    db = sqlite3.connect(
        path or ":memory:", timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(db)
        if path:
            _sync_directory(path.parent)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write.  Raises one of TROUBLE.

    Of an earlier version's file, which only a writer brings up to date, to a copy of it.
    """
    db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=LOCK_TIMEOUT)
    try:
        is_of_today = _version(db) == schema.VERSION
        _keep_off_disk(db)
        _check(db)
    except BaseException:
        db.close()
        raise
    if is_of_today:
        return db
    db.close()
    return copy_of(path)


def copy_of(path: Path) -> sqlite3.Connection:
    """The file's content in memory: a WAL on a full or read-only disk cannot be opened in place.

    Raises one of TROUBLE.
    """
    with tempfile.TemporaryDirectory(prefix="guestctl-", dir=memory_folder()) as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        wal = path.with_name(f"{path.name}-wal")
        if wal.exists():
            shutil.copyfile(wal, copy.with_name(wal.name))
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with contextlib.closing(connect(copy)) as source:
            source.backup(memory)
    return memory


def memory_folder() -> str | None:
    """A file system that is in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _wrong_version(version: int) -> LedgerTooNew:
    return LedgerTooNew(f"made by another guestctl (schema {version}, ours {schema.VERSION})")


def _prepare(db: sqlite3.Connection) -> None:
    _version(db)  # before anything changes the file of a newer guestctl
    _use_wal(db)
    # The same as FULL for WAL; what a file system without shared memory gets instead needs it.
    db.execute("PRAGMA synchronous = EXTRA")
    db.execute("PRAGMA foreign_keys = ON")
    _keep_off_disk(db)
    _check(db)
    with transaction(db):  # asked again: somebody else may be beginning the same ledger
        schema.prepare(db, _version(db))


def _keep_off_disk(db: sqlite3.Connection) -> None:
    """What SQLite sorts and sets aside: the units' sandbox has no folder for temporary files."""
    db.execute("PRAGMA temp_store = MEMORY")


def _use_wal(db: sqlite3.Connection) -> None:
    """Two that begin the same ledger may get in each other's way: SQLite does not wait here, so we
    do, in the ledger's thread: for the other's few writes, which take milliseconds."""
    end = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.02)  # nothing tells when the other is done


def _version(db: sqlite3.Connection) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > schema.VERSION:
        raise _wrong_version(version)
    return version


def _check(db: sqlite3.Connection) -> None:
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(str(found))


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class transaction:
    """`with transaction(db):` all of it, or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # a commit that failed can leave it open
                self._db.execute("ROLLBACK")
