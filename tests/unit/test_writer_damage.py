"""Whatever is in the ledger's file, a run goes on, and what was set aside is told."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guestctl.ledger import writer as writer_module
from guestctl.ledger.writer import LedgerWriter
from guestctl.model.guest import GuestId
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord
from guestctl.model.result import Trigger
from tests.examples import examples
from tests.ledgers import taking_down
from tests.unit.ledger_writers import (
    adding,
    using,
)
from tests.unit.makers import BOOT, guest, guest_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


async def use_all(writer: LedgerWriter) -> None:
    """What a run and the verbs do with a ledger."""
    nothing: dict[GuestId, GuestRecord] = {}
    await writer(lambda ledger: ledger.guests(), nothing)
    number = await writer(
        lambda ledger: ledger.runs.begin(RunKind.PRESERVE, Trigger.BOOT, BOOT), None
    )
    await writer(lambda ledger: ledger.note_up(guest(), BOOT), None)
    await writer(lambda ledger: taking_down(ledger, guest()), None)
    await writer(lambda ledger: ledger.runs.begin_step(number, guest(), Step.SAVE), None)
    await writer(adding("x"), "")
    await writer(lambda ledger: ledger.runs.restored_since_preserve(BOOT), None)
    await writer(lambda ledger: len(ledger.runs.newest()), 0)
    await writer(lambda ledger: len(ledger.trail.of(guest_id())), 0)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound ledger with something of everything in it."""
    path = tmp_path_factory.mktemp("pristine") / "ledger.db"
    assert using(path, use_all)[1] == []
    return path


def _use_damaged(scratch: Path, content: bytes) -> None:
    path = scratch / "ledger.db"
    for file in scratch.glob("ledger.db*"):
        file.unlink()
    path.write_bytes(content)
    with mock.patch.object(writer_module, "LEDGER_LIMIT", 3.0):
        _, trouble = using(path, use_all)
    assert not any("did not answer" in text for text in trouble)
    # Loudly: nothing is set aside without a word.
    assert any("set aside" in text for text in trouble) == bool(list(scratch.glob("*.damaged-*")))


places = st.integers(0, 2**20) | st.integers(0, 100) | st.integers(100, 4095)


@examples(0.6)
@given(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=20))
def test_flipped_bytes_never_stop_a_run(
    scratch: Path, pristine: Path, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(pristine.read_bytes())
    for place, value in flips:
        content[place % len(content)] = value
    _use_damaged(scratch, bytes(content))


@examples(0.6)
@given(st.integers(0, 2**20), st.binary(max_size=200))
@example(0, b"")
@example(4096, b"")
def test_a_truncated_or_overwritten_ledger_never_stops_a_run(
    scratch: Path, pristine: Path, length: int, tail: bytes
) -> None:
    content = pristine.read_bytes()
    _use_damaged(scratch, content[: length % len(content)] + tail)


def test_what_was_lost_of_a_ledger_that_was_replaced_is_said(path: Path, pristine: Path) -> None:
    """By a process that lives on: the service looks for that from time to time."""

    async def use(writer: LedgerWriter) -> bool:
        await use_all(writer)
        await asyncio.to_thread(replace_with_damaged)
        return await writer.renew()

    def replace_with_damaged() -> None:
        content = pristine.read_bytes()
        for file in path.parent.glob("ledger.db-*"):
            file.unlink()
        path.unlink()
        path.write_bytes(content[:4096] + b"\xa5" * 4096 + content[8192:])

    renewed, said = using(path, use)
    assert renewed
    assert any("set aside" in text for text in said)


CHANGED_CELLS = [
    "UPDATE guest SET wanted = 'om'",
    "UPDATE guest SET stopped_by = 'hosu'",
    "UPDATE guest SET taken_down = 7",
    "UPDATE guest SET name = CAST(x'ff' AS TEXT)",
    "UPDATE run SET kind = 'preservf'",
    "UPDATE run SET \"trigger\" = ''",
    "UPDATE trail SET reason = CAST(x'c328' AS TEXT)",
    "DROP TABLE guest",
    "DROP TABLE run",
    "DROP INDEX trail_guest",
]


@pytest.mark.parametrize("change", CHANGED_CELLS)
def test_words_that_make_no_sense_never_stop_a_run(path: Path, change: str) -> None:
    """SQLite has no checksums: a bit that flips in a word is found by whoever reads the word."""
    using(path, use_all)
    db = sqlite3.connect(path)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(change)
    db.commit()
    db.close()

    async def use(writer: LedgerWriter) -> str:
        await use_all(writer)
        return await writer(adding("y"), "")

    result, _ = using(path, use)
    assert result == "wrote y"
