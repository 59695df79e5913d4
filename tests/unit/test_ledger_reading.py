"""Ledgers that are only read, cannot be written, or belong to somebody else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guestctl.ledger import opening, schema
from guestctl.ledger.file import (
    TROUBLE,
    LedgerTooNew,
    connect,
    connect_to_read,
    copy_of,
    transaction,
)
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.opening import open_ledger, read_ledger
from tests.ledgers import clock
from tests.unit.ledger_files import DAMAGE, Opened, make, whole_file
from tests.unit.makers import BOOT, guest_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be."""
    return tmp_path / "state" / "ledger.db"


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE guest (mine TEXT)")
    db.close()
    before = path.read_bytes()
    with Opened(path) as opened:
        assert opened.works()
        assert len(opened.trouble) == 1
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("guest",)]
    db.close()
    assert len(before) == len(path.read_bytes())


# Versions


def set_version(path: Path, version: int, journal: str = "wal") -> bytes:
    """Make the file one of another schema; its bytes."""
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA journal_mode = {journal}")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    return path.read_bytes()


@pytest.mark.parametrize("journal", ["wal", "delete"])
@pytest.mark.parametrize("opener", [open_ledger, read_ledger])
def test_a_ledger_of_a_newer_guestctl_is_left_untouched(
    path: Path, opener: Callable[..., Ledger], journal: str
) -> None:
    make(path, "kept")
    before = set_version(path, schema.VERSION + 1, journal)
    with Opened(path, opener) as opened:
        assert opened.works()
    (trouble,) = opened.trouble
    assert f"schema {schema.VERSION + 1}, ours {schema.VERSION}" in trouble
    assert path.read_bytes() == before


@pytest.mark.parametrize("opener", [connect, connect_to_read])
def test_whoever_opens_a_newer_ledger_is_told(path: Path, opener: Callable[[Path], Any]) -> None:
    make(path)
    set_version(path, schema.VERSION + 7)
    with pytest.raises(LedgerTooNew, match=f"schema {schema.VERSION + 7}"):
        opener(path)


# Reading


def test_reading_makes_no_file(path: Path) -> None:
    with Opened(path, read_ledger) as opened:
        assert opened.ledger.guests() == {}
        assert opened.trouble == []
    assert not path.parent.exists()


def test_whoever_only_reads_cannot_write(path: Path) -> None:
    make(path, "kept")
    with Opened(path, read_ledger) as opened:
        assert [entry.reason for entry in opened.ledger.trail.of(guest_id())] == ["kept"]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            opened.ledger.trail.add(guest_id(), "source", "no")


def test_reading_goes_on_while_a_run_writes(path: Path) -> None:
    make(path, "committed")
    with Opened(path) as writer, Opened(path, read_ledger) as reader:
        with transaction(writer.ledger.db):
            writer.ledger.trail.add(guest_id(), "source", "not yet")
            assert [e.reason for e in reader.ledger.trail.of(guest_id())] == ["committed"]
        assert len(reader.ledger.trail.of(guest_id())) == 2


@pytest.mark.parametrize("name", ["a b%20?mode=rw#x", "ä", "'"])
def test_any_folder_name_can_be_read_from(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "ledger.db"
    make(path, "kept")
    with Opened(path, read_ledger) as opened:
        assert len(opened.ledger.trail.of(guest_id())) == 1
        assert opened.trouble == []


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_reading_a_damaged_ledger_is_trouble_and_no_error(
    path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Nor does a reader move anything: a run may be at work on it."""
    make(path)
    damaged = damage(whole_file(tmp_path))
    path.write_bytes(damaged)
    with Opened(path, read_ledger) as opened:
        opened.ledger.guests()
        opened.ledger.runs.newest()
        opened.ledger.runs.restored_since_preserve(BOOT)
        for guest_found in opened.ledger.known_as("web"):
            opened.ledger.trail.of(guest_found)
    assert opened.trouble
    assert path.read_bytes() == damaged


# Files that can be read and not written


def _failure(code: int, message: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


NOT_WRITABLE = [
    _failure(sqlite3.SQLITE_FULL, "database or disk is full"),
    _failure(sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
    _failure(sqlite3.SQLITE_CANTOPEN, "unable to open database file"),
    OSError(28, "No space left on device"),
]


@pytest.fixture(params=NOT_WRITABLE, ids=str)
def unwritable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files cannot be opened in place; what is in memory can."""

    def fail(path: Path | None) -> sqlite3.Connection:
        if path is None:
            return connect(None)
        raise request.param

    monkeypatch.setattr(opening, "connect", fail)
    monkeypatch.setattr(opening, "connect_to_read", fail)


@pytest.mark.usefixtures("unwritable")
@pytest.mark.parametrize("opener", [open_ledger, read_ledger])
def test_a_ledger_that_cannot_be_written_is_read_all_the_same(
    path: Path, opener: Callable[..., Ledger]
) -> None:
    make(path, "kept")
    before = path.read_bytes()
    with Opened(path, opener) as opened:
        assert opened.ledger.remembers
        assert [entry.reason for entry in opened.ledger.trail.of(guest_id())] == ["kept"]
        assert opened.works()
    (trouble,) = opened.trouble
    assert "cannot write to the ledger" in trouble
    assert "what happens now is not remembered" in trouble
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]


@pytest.mark.usefixtures("unwritable")
def test_without_anything_to_read_nothing_is_remembered(path: Path) -> None:
    with Opened(path) as opened:
        assert not opened.ledger.remembers
        assert opened.works()
    (trouble,) = opened.trouble
    assert "nothing is remembered" in trouble


def test_a_copy_holds_what_is_only_in_the_wal(path: Path) -> None:
    make(path, "closed")
    with Opened(path) as writer:
        with transaction(writer.ledger.db):
            writer.ledger.trail.add(guest_id(), "source", "in the WAL")
        assert path.with_name("ledger.db-wal").stat().st_size > 0
        copy = copy_of(path)
        found = [entry.reason for entry in Ledger(copy, clock()).trail.of(guest_id())]
        copy.close()
    assert found == ["closed", "in the WAL"]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_copying_a_damaged_ledger_is_trouble_as_any_other(
    path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path.parent.mkdir()
    path.write_bytes(damage(whole_file(tmp_path)))
    with pytest.raises(TROUBLE):
        copy_of(path)
