"""One wrong byte in the ledger loses a page at most, and never without a word."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guestctl.ledger.file import connect, transaction
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.opening import damaged_ledgers, open_ledger, read_ledger
from guestctl.ledger.salvage import salvage
from guestctl.model.plan import RunKind, Step
from guestctl.model.result import Trigger
from tests.examples import examples
from tests.ledgers import clock, hold
from tests.unit.makers import BOOT, guest, guest_id

GUESTS = [guest(f"guest-{number}", number) for number in range(20)]
PAGE = 4096


def fill(ledger: Ledger) -> None:
    """Guests that are held, their trails, and runs."""
    for one in GUESTS:
        ledger.note_up(one, BOOT)
        hold(ledger, one, f"hold of {one.name}")
        for number in range(20):
            ledger.trail.add(one.id, "source", f"reason {number} " + "x" * 80)
    for _ in range(5):
        run = ledger.runs.begin(RunKind.PRESERVE, Trigger.COMMAND, BOOT)
        for one in GUESTS:
            ledger.runs.begin_guest(run, one)
            ledger.runs.begin_step(run, one, Step.SAVE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sound ledger of some forty pages."""
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    with closing(connect(path)) as db, transaction(db):
        fill(Ledger(db, clock()))
    return path.read_bytes()


def holds(ledger: Ledger) -> int:
    """Of how many guests the hold is known."""
    return sum(r.hold == f"hold of {r.name}" for r in ledger.guests().values())


def open_damaged(folder: Path, content: bytes) -> tuple[int, str, list[str]]:
    """How many holds are known of this file's, what counts as lost, and what was complained of."""
    path = folder / "ledger.db"
    for file in folder.glob("ledger.db*"):
        file.unlink()
    path.write_bytes(content)
    said: list[str] = []
    with closing((ledger := open_ledger(path, clock(), said.append)).db):
        return holds(ledger), ledger.loss, said


def pages_of(whole: bytes, name: str) -> list[int]:
    """Numbers of the pages of a table or index, from 0."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(whole[:18] + b"\1\1" + whole[20:])  # without the WAL that memory cannot have
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'"
        return [number - 1 for (number,) in db.execute(query, (name,))]


def overwritten(whole: bytes, page: int) -> bytes:
    """With a page of nonsense."""
    return whole[: page * PAGE] + b"\xa5" * PAGE + whole[(page + 1) * PAGE :]


@pytest.mark.parametrize("name", ["trail_guest", "step_guest", "sqlite_autoindex_guest_1"])
def test_an_index_costs_nothing(tmp_path: Path, whole: bytes, name: str) -> None:
    found, loss, said = open_damaged(tmp_path, overwritten(whole, pages_of(whole, name)[0]))
    assert found == len(GUESTS)
    assert "all of it could be read" in loss
    assert said == [loss]
    assert len(damaged_ledgers(tmp_path / "ledger.db")) == 1


def test_a_page_in_the_midst_of_a_table_costs_its_own_rows(tmp_path: Path, whole: bytes) -> None:
    trail = pages_of(whole, "trail")
    found, loss, _ = open_damaged(tmp_path, overwritten(whole, trail[len(trail) // 2]))
    assert found == len(GUESTS)
    assert "rows may be missing of: trail" in loss
    with closing(connect(tmp_path / "ledger.db")) as db:
        ((kept,),) = db.execute("SELECT count(*) FROM trail").fetchall()
    assert 20 * len(GUESTS) - 50 < kept < 20 * len(GUESTS)


@pytest.mark.parametrize(
    "damage",
    [lambda it: b"\0" + it[1:], lambda it: it[:16] + b"\xff\xff" + it[18:]],
    ids=["its first byte", "its page size"],
)
def test_a_header_can_be_made_anew(
    tmp_path: Path, whole: bytes, damage: Callable[[bytes], bytes]
) -> None:
    found, loss, _ = open_damaged(tmp_path, damage(whole))
    assert (found, "all of it" in loss) == (len(GUESTS), True)


def test_what_is_in_the_wal_is_not_lost(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(whole)
    with closing(connect(path)) as db:
        with transaction(db):
            hold(Ledger(db, clock()), GUESTS[0], "newest")
        copy = tmp_path / "damaged.db"
        copy.write_bytes(overwritten(path.read_bytes(), pages_of(whole, "trail_guest")[0]))
        copy.with_name("damaged.db-wal").write_bytes(path.with_name("ledger.db-wal").read_bytes())
    found = salvage(copy)
    assert found is not None
    with closing(found.db):
        record = Ledger(found.db, clock()).guest(GUESTS[0].id)
    assert record is not None
    assert record.hold == "newest"


def test_a_ledger_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    for version in (1, 2):
        old = Path(__file__).parents[1] / f"data/ledger-schema-{version}.db"
        path = tmp_path / "old.db"
        content = bytearray(old.read_bytes())
        content[pages_of(bytes(content), "trail_guest")[0] * PAGE] ^= 0xFF
        path.write_bytes(content)
        found = salvage(path)
        assert found is not None
        with closing(found.db):
            held = [r.name for r in Ledger(found.db, clock()).guests().values() if r.hold]
        assert (held, found.in_part) == (["held"], ())


def test_who_only_reads_reads_it_as_well_and_moves_nothing(tmp_path: Path, whole: bytes) -> None:
    path, said = tmp_path / "ledger.db", list[str]()
    path.write_bytes(damaged := overwritten(whole, pages_of(whole, "trail_guest")[0]))
    with closing((ledger := read_ledger(path, clock(), said.append)).db):
        assert holds(ledger) == len(GUESTS)
    assert path.read_bytes() == damaged
    assert "all of it could be read" in said[0]


def test_nothing_can_be_read(tmp_path: Path) -> None:
    found, loss, said = open_damaged(tmp_path, b"this is no ledger\n" * 1000)
    assert (found, said) == (0, [loss])
    assert "nothing of it could be read" in loss


@examples(0.6)
@given(st.integers(0, 2**20), st.integers(1, 255))
@example(PAGE, 255)
def test_one_wrong_byte_anywhere(scratch: Path, whole: bytes, place: int, change: int) -> None:
    """All holds are known, or the run is told that not all is."""
    content = bytearray(whole)
    content[place % len(content)] ^= change
    found, loss, said = open_damaged(scratch, bytes(content))
    assert bool(loss) == bool(said)
    if said and "rows may be missing of: guest" not in loss and "nothing of it" not in loss:
        # A byte in a word of one guest's row is no damage that SQLite could know of.
        assert found >= len(GUESTS) - 1


def test_a_new_guest_can_be_recorded_afterwards(tmp_path: Path, whole: bytes) -> None:
    open_damaged(tmp_path, overwritten(whole, pages_of(whole, "trail")[-1]))
    with closing(connect(tmp_path / "ledger.db")) as db, transaction(db):
        ledger = Ledger(db, clock())
        before = ledger.trail.newest()
        ledger.trail.add(guest_id(50), "source", "new")
        assert ledger.trail.newest() > before
        assert ledger.runs.begin(RunKind.PRESERVE, Trigger.COMMAND, BOOT) == 6
