"""What can still be read of a damaged ledger: table by table, from both ends.

SQLite refuses a file for one wrong byte anywhere.  Indexes are made anew, and a table is read up to
the page that is damaged, forwards and backwards: a page is lost, and not all the rest with it.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import schema
from .file import connect, memory_folder, transaction

#: The first bytes of the file, see "The Database Header" of SQLite's file format.
_HEADER, _PAGES = 100, slice(28, 32)
_COUNTERS = (slice(24, 28), slice(92, 96))
#: Bytes of a page, and where its size stands in the header.
_PAGE = 4096


class Salvaged(NamedTuple):
    """db: in memory, of today's schema.  in_part: tables of which rows may be missing."""

    db: sqlite3.Connection
    in_part: tuple[str, ...]


def salvage(path: Path) -> Salvaged | None:
    """What a damaged file and its WAL still say; None where that is nothing.

    Reads copies, and leaves the files as they are.  Raises OSError.
    """
    with tempfile.TemporaryDirectory(prefix="guestctl-", dir=memory_folder()) as folder:
        for renew_header in (False, True):
            copy = _copied(path, Path(folder))
            if renew_header:
                _renew_header(copy)
            with contextlib.suppress(sqlite3.Error), contextlib.closing(_opened(copy)) as source:
                return _read(source)
    return None


def _copied(path: Path, folder: Path) -> Path:
    copy = folder / "ledger.db"
    for suffix in ("-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(path, copy)
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        shutil.copyfile(wal, copy.with_name(f"{copy.name}-wal"))
    return copy


def _renew_header(copy: Path) -> None:
    """That of a new ledger, with this file's number of pages: a wrong byte there hides all."""
    content = bytearray(copy.read_bytes())
    with contextlib.closing(connect(None)) as new:
        content[:_HEADER] = new.serialize()[:_HEADER]
    content[_PAGES] = (len(content) // _PAGE).to_bytes(4, "big")
    for counter in _COUNTERS:  # the number of pages counts where these two are the same
        content[counter] = (1).to_bytes(4, "big")
    copy.write_bytes(content)


def _opened(copy: Path) -> sqlite3.Connection:
    db = sqlite3.connect(copy, isolation_level=None)
    db.text_factory = lambda text: text.decode(errors="replace")
    # One table whose definition makes no sense does not hide the others.
    db.execute("PRAGMA writable_schema = ON")
    return db


def _read(source: sqlite3.Connection) -> Salvaged:
    version = int(source.execute("PRAGMA user_version").fetchone()[0])
    if not 1 <= version <= schema.VERSION:
        raise sqlite3.DatabaseError(f"schema {version}")
    target = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with transaction(target):
            _make_tables(source, target, version)
            in_part = [name for name in _tables(target) if not copy_rows(source, target, name)]
            _drop_orphans(target)
            schema.prepare(target, version)
    except BaseException:
        target.close()
        raise
    if "guest" in in_part and not target.execute("SELECT count(*) FROM guest").fetchone()[0]:
        target.close()
        raise sqlite3.DatabaseError("nothing is known of any guest")
    return Salvaged(target, tuple(in_part))


def _make_tables(source: sqlite3.Connection, target: sqlite3.Connection, version: int) -> None:
    """Of the file's version: of an earlier one only the file itself knows its tables."""
    if version == schema.VERSION:
        schema.prepare(target, 0)
        return
    query = "SELECT sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT LIKE 'sqlite%'"
    for (statement,) in source.execute(f"{query} ORDER BY type DESC").fetchall():
        target.execute(statement)


def _tables(db: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    return [name for (name,) in db.execute(query) if not name.startswith("sqlite_")]


def copy_rows(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> bool:
    """Whether every row could be read."""
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    names = ", ".join(f'"{column}"' for column in columns)
    insert = f"INSERT INTO {table} ({names}) VALUES (?{', ?' * (len(columns) - 1)})"
    rows: dict[int, tuple[Any, ...]] = {}
    whole = True
    for order in ("ASC", "DESC"):
        query = f"SELECT rowid, {names} FROM {table} NOT INDEXED ORDER BY rowid {order}"
        try:
            rows.update((row[0], row[1:]) for row in _each(source, query))
        except sqlite3.Error:
            whole = False
    for rowid in sorted(rows):
        try:
            target.execute(insert, rows[rowid])
        except (sqlite3.Error, OverflowError):  # what a row may not be: some of it is damaged
            whole = False
    return whole


def _each(source: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    yield from source.execute(query)


def _drop_orphans(target: sqlite3.Connection) -> None:
    """Steps and guests of runs that could not be read."""
    for table, rowid, *_ in target.execute("PRAGMA foreign_key_check").fetchall():
        target.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
