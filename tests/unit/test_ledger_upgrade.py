"""A ledger of guestctl 0.1, 0.2 or 0.3 is opened by today's, with all that it says.

tests/data/ledger-schema-1.db was written by 0.1.0: a preserve, a boot, and a preserve that was cut
off; a guest that its user turned off, one that is held, one whose stop has not settled.
ledger-schema-2.db is what 0.2.0 made of it, ledger-schema-3.db what 0.3.0 did.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guestctl.decisions.attempts import may_be_under_way
from guestctl.ledger import schema
from guestctl.ledger.file import connect, connect_to_read
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestId
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.result import Trigger
from guestctl.model.save import SaveState
from guestctl.model.stop import Certainty, How, StoppedBy
from tests.ledgers import clock

OLD = [Path(__file__).parents[1] / f"data/ledger-schema-{n}.db" for n in (1, 2, 3)]


@pytest.fixture(params=OLD, ids=["1", "2", "3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an old file."""
    return Path(shutil.copy(request.param, tmp_path / "ledger.db"))


@pytest.fixture(params=[connect, connect_to_read], ids=["to write", "to read"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Ledger]:
    """The old ledger, opened."""
    with closing(request.param(path)) as db:
        yield Ledger(db, clock())


def version(path: Path) -> int:
    """The schema's, as the file says."""
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def records_by_name(ledger: Ledger, boot: str = "") -> dict[str, GuestRecord]:
    """What is known of guests, by name."""
    return {record.name: record for record in ledger.guests(boot).values()}


def test_the_files_are_of_versions_before() -> None:
    assert list(map(version, OLD)) == [1, 2, 3]


def test_a_writer_brings_the_file_up_to_date_and_a_reader_leaves_it(path: Path) -> None:
    before = version(path)
    connect_to_read(path).close()
    assert version(path) == before
    connect(path).close()
    assert version(path) == schema.VERSION
    connect(path).close()  # and again


def test_what_is_wanted_and_held_is_as_before(ledger: Ledger) -> None:
    found = records_by_name(ledger)
    user, held, settles = found["user"], found["held"], found["settles"]
    stop = (user.wanted, user.stopped_by, user.how, user.certainty, user.settling)
    assert stop == (Wanted.OFF, StoppedBy.USER, How.SHUT_DOWN, Certainty.OBSERVED, None)
    assert (held.hold, held.held_for_save) == ("its save is stale: /x has changed", True)
    assert (settles.settling, [r.name for r in ledger.settling("boot-1")]) == (
        "boot-1",
        ["settles"],
    )
    assert (found["db"].wanted, found["db"].taken_down, found["db"].up_boot) == (
        Wanted.ON,
        True,
        None,
    )


def test_runs_and_what_became_of_guests_are_as_before(ledger: Ledger) -> None:
    runs = ledger.runs.newest()
    assert [(r.kind, r.trigger, r.ok) for r in runs] == [
        (RunKind.PRESERVE, Trigger.HOST_STOP, None),
        (RunKind.RESTORE, Trigger.BOOT, True),
        (RunKind.PRESERVE, Trigger.HOST_STOP, True),
    ]
    told = [[(g.name, g.outcome, g.reason) for g in ledger.runs.guests(run.id)] for run in runs]
    assert told == [
        [("cut", "cut off", ""), ("web", "cut off", "in save")],
        [("held", "held", "its save is stale"), ("web", "resumed", "")],
        [("db", "shut-down", ""), ("web", "saved", "")],
    ]
    assert ledger.runs.restored_since_preserve("boot-2") == frozenset()


def test_a_run_that_was_cut_off_is_picked_up(ledger: Ledger) -> None:
    found = records_by_name(ledger, "boot-2")
    web = found["web"]
    assert [attempt.step for attempt in web.attempts] == [Step.RESUME, Step.SAVE]
    assert may_be_under_way(web.attempts, web.attempts[-1].begun)
    assert ledger.runs.in_hand("boot-2") == {web.id, found["cut"].id}
    assert ledger.runs.in_hand("boot-1") == set()


def test_saves_and_trails_are_as_before(ledger: Ledger) -> None:
    guests = {record.name: record.id for record in ledger.guests().values()}
    states = [save.state for save in ledger.saves.of(guests["web"])]
    assert states == [SaveState.BEGUN, SaveState.RESUMED, SaveState.DONE]
    assert [entry.source for entry in ledger.trail.of(guests["user"])] == ["guestctl:watch"]
    assert ledger.known_as("held") == [guests["held"]]


def test_it_is_the_same_schema_as_a_new_one(path: Path, tmp_path: Path) -> None:
    """But for the order of columns, which nobody relies on."""

    def columns(file: Path) -> dict[str, set[tuple[str, ...]]]:
        with closing(connect(file)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema")]
            infos = {t: db.execute(f"PRAGMA table_info({t})").fetchall() for t in tables}
        return {t: {tuple(map(str, row[1:])) for row in rows} for t, rows in infos.items()}

    assert columns(path) == columns(tmp_path / "new.db")


def test_what_is_written_next_goes_on_with_what_was_there(path: Path) -> None:
    with closing(connect(path)) as db:
        ledger = Ledger(db, clock())
        before = ledger.runs.newest_begun()
        run = ledger.runs.begin(RunKind.PRESERVE, Trigger.COMMAND, "boot-3")
        assert run == 4
        web = next(r for r in ledger.guests().values() if r.name == "web")
        assert isinstance(web.id, GuestId)
        assert ledger.runs.begun_since(before) == set()


def test_what_libvirts_flags_were_is_not_known_of_before(ledger: Ledger) -> None:
    assert {(r.flag, r.flag_word) for r in ledger.guests().values()} == {(None, None)}
    assert ledger.watches.ended() == frozenset()
