"""The ledger's file: durable, set aside where it is damaged, done without where there is none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guestctl.ledger import schema
from guestctl.ledger.file import (
    connect,
)
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.opening import damaged_ledgers, open_ledger, read_ledger, set_aside
from tests.unit.ledger_files import DAMAGE, Opened, make, whole_file
from tests.unit.makers import guest_id

# Files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be."""
    return tmp_path / "state" / "ledger.db"


def test_what_was_written_is_there_when_the_file_is_opened_again(path: Path) -> None:
    make(path, "kept")
    with Opened(path) as opened:
        assert [entry.reason for entry in opened.ledger.trail.of(guest_id())] == ["kept"]
        assert opened.works()
        assert opened.trouble == []


def test_several_may_begin_the_same_ledger_at_the_same_moment(tmp_path: Path) -> None:
    """A run and a `guestctl hold`, say, on a host where neither was ever used."""
    together = threading.Barrier(8)

    def open_new(path: Path) -> list[str]:
        together.wait(10)
        with Opened(path) as opened:
            return opened.trouble

    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            trouble = list(pool.map(open_new, [tmp_path / f"{number}.db"] * 8))
            assert trouble == [[]] * 8


def test_the_folder_is_synced_once_the_files_are_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut can lose a new ledger whole, its synced commits with it."""
    path.parent.mkdir()
    synced: list[tuple[int, list[str]]] = []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, sorted(os.listdir(path.parent))))

    monkeypatch.setattr(os, "fsync", fsync)
    connect(path).close()
    (inode, files) = synced[-1]
    assert inode == path.parent.stat().st_ino
    assert {"ledger.db", "ledger.db-wal"} <= set(files)


def test_every_commit_is_synced(path: Path) -> None:
    """EXTRA, which is FULL for a WAL: a power cut right after a commit loses nothing."""
    path.parent.mkdir()
    db = connect(path)
    modes = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    db.close()
    assert modes == ["wal", 3]


@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_file_with_nothing_in_it_is_a_new_ledger(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with Opened(path) as opened:
        assert opened.works()
        assert opened.trouble == []


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(
    path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    make(path)
    damaged = damage(whole_file(tmp_path))
    path.write_bytes(damaged)
    with Opened(path) as opened:
        assert opened.works()
    (aside,) = path.parent.glob("ledger.db.damaged-*")
    assert aside.read_bytes() == damaged
    (trouble,) = opened.trouble
    assert "is damaged" in trouble
    assert str(aside) in trouble
    with Opened(path) as again:
        assert again.trouble == []
        assert [entry.reason for entry in again.ledger.trail.of(guest_id(9))] == ["written now"]


def test_damaged_ledgers_are_all_kept(path: Path) -> None:
    make(path)
    for _ in range(3):
        path.write_bytes(b"this is no ledger\n" * 100)
        Opened(path).ledger.db.close()
    assert len(list(path.parent.glob("ledger.db.damaged-*"))) == 3


def test_a_folder_that_cannot_be_read_has_no_damaged_ledgers() -> None:
    """Seen as a user whose HOME was root's, with Python 3.11: `status` was a traceback."""
    too_long = "x" * 300  # an error for root, too
    assert damaged_ledgers(Path("/", too_long, "ledger.db")) == []


def test_the_wal_of_a_ledger_goes_with_it(path: Path) -> None:
    """SQLite would apply it to the new file."""
    path.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_text(f"content{suffix}")
    aside = set_aside(path)
    found = {file.name: file.read_text() for file in path.parent.iterdir()}
    assert found == {aside.name + s: f"content{s}" for s in ("", "-wal", "-shm")}


WHERE_NO_FILE_CAN_BE: dict[str, Callable[[Path], Path]] = {
    "no folder": lambda folder: folder / "absent" / "ledger.db",
    "below a file": lambda folder: folder / "file" / "ledger.db",
    "a folder in its place": lambda folder: folder / "folder",
    "nobody may write there": lambda _: Path("/proc/ledger.db"),
    "name too long": lambda folder: folder / ("x" * 300),
}


@pytest.mark.parametrize("opener", [open_ledger, read_ledger])
@pytest.mark.parametrize("place", WHERE_NO_FILE_CAN_BE.values(), ids=WHERE_NO_FILE_CAN_BE.keys())
def test_where_no_file_can_be_the_ledger_is_done_without(
    tmp_path: Path, opener: Callable[..., Ledger], place: Callable[[Path], Path]
) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    with Opened(place(tmp_path), opener) as opened:
        assert opened.works()
    # For a reader, a ledger that does not exist yet is no trouble.
    assert len(opened.trouble) == 1 or opener is read_ledger
    assert all("cannot" in trouble and "ledger" in trouble for trouble in opened.trouble)
    assert (tmp_path / "file").read_text() == "kept"
    assert (tmp_path / "folder").is_dir()


def test_the_schema_is_what_the_version_says() -> None:
    """Whoever changes it must raise the number, and write the way there."""
    statements = " ".join(schema._TABLES.split())
    assert (schema.VERSION, len(statements.split(";"))) == (4, 13)
