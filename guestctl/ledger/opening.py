"""Opening the ledger whatever is wrong with it: set aside, copied, or done without."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ..model.instant import Clock
from .file import TROUBLE, connect, connect_to_read, copy_of
from .ledger import Ledger
from .salvage import Salvaged, salvage

_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def open_ledger(path: Path, clock: Clock, trouble: Callable[[str], None]) -> Ledger:
    """The ledger in the file; one in memory, with a word of trouble, where that fails.

    A damaged file is set aside under another name, and a new one begun with what can still be read.
    """
    try:
        db, loss = _connect_or_set_aside(path, trouble)
        return Ledger(db, clock, loss=loss)
    except TROUBLE as error:
        return _stand_in(path, clock, error, trouble)


def _stand_in(
    path: Path, clock: Clock, error: BaseException, trouble: Callable[[str], None]
) -> Ledger:
    """A ledger in memory, with what the file says where that can be read: on a full disk."""
    try:
        copy = copy_of(path)
    except TROUBLE:
        if is_damage(error) and (found := _salvaged(path)):
            text = f"the ledger {path} is damaged ({error}): {_told(found)}"
            trouble(text)
            return Ledger(found.db, clock, is_kept=False, loss=text)
        trouble(f"cannot use the ledger {path}: {error}; going on without: nothing is remembered")
        return Ledger(connect(None), clock, remembers=False, is_kept=False)
    trouble(f"cannot write to the ledger {path}: {error}; what happens now is not remembered")
    return Ledger(copy, clock, is_kept=False)


def read_ledger(path: Path, clock: Clock, trouble: Callable[[str], None]) -> Ledger:
    """The ledger for reading only; an empty one where there is none yet, or none to be read."""
    try:
        if path.exists():
            return Ledger(connect_to_read(path), clock)
    except TROUBLE as error:
        return _stand_in(path, clock, error, trouble)
    return Ledger(connect(None), clock)


def _connect_or_set_aside(
    path: Path, trouble: Callable[[str], None]
) -> tuple[sqlite3.Connection, str]:
    """The connection, and what is said of a loss."""
    try:
        return connect(path), ""
    except (sqlite3.DatabaseError, UnicodeError) as error:
        if not is_damage(error):
            raise
        aside = set_aside(path)
        found = _salvaged(aside)
        loss = f"the ledger {path} is damaged ({error}): set aside as {aside}; {_told(found)}"
        trouble(loss)
    db = connect(path)
    if found is not None:
        with contextlib.closing(found.db):
            found.db.backup(db)
    return db, loss


def _salvaged(path: Path) -> Salvaged | None:
    try:
        return salvage(path)
    except OSError:
        return None


def _told(found: Salvaged | None) -> str:
    if found is None:
        return "nothing of it could be read: holds and what was wanted of guests are forgotten"
    if not found.in_part:
        return "all of it could be read, and is in use again"
    missing = ", ".join(found.in_part)
    return f"what could be read of it is in use again; rows may be missing of: {missing}"


def set_aside(path: Path) -> Path:
    """Rename the ledger with its WAL; SQLite must not apply the one to another file."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside


def damaged_ledgers(path: Path) -> list[Path]:
    """Those that were set aside and are still there, oldest first; none where nobody may look."""
    try:
        found = list(path.parent.glob(f"{path.name}.damaged-*"))
    except OSError:  # as Python 3.11 has it, where later ones find nothing
        return []
    return sorted(file for file in found if not file.name.endswith(("-wal", "-shm")))


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_damage(failure: BaseException | None) -> bool:
    """Whether SQLite says that what is in the file makes no sense."""
    if isinstance(failure, UnicodeDecodeError) or type(failure) is sqlite3.DatabaseError:
        # Our own quick_check carries no code; disk full, locked and such have one of theirs.
        return getattr(failure, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _CORRUPT
    return getattr(failure, "sqlite_errorcode", 0) & 0xFF in _CORRUPT
