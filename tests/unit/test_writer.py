"""Ledger work off the event loop: durable, many to one sync, and never in a run's way."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from guestctl.ledger import writer as writer_module
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.trail import KEPT
from guestctl.ledger.writer import LedgerWriter
from guestctl.model.guest import GuestId
from guestctl.model.record import GuestRecord, Wanted
from tests.unit.ledger_writers import (
    LIMIT,
    Gate,
    adding,
    failing,
    reasons_in,
    using,
)
from tests.unit.makers import BOOT, guest, guest_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that SQLite carries out in ledgers opened from now on."""
    seen: list[str] = []
    original = writer_module.open_ledger  # type: ignore[attr-defined]  # as the writer finds it

    def open_traced(*arguments: object) -> Ledger:
        ledger: Ledger = original(*arguments)  # type: ignore[arg-type]  # handed on as they came
        ledger.db.set_trace_callback(seen.append)
        return ledger

    monkeypatch.setattr(writer_module, "open_ledger", open_traced)
    return seen


# Results


def test_what_was_awaited_is_durable(path: Path) -> None:
    async def use(writer: LedgerWriter) -> list[str]:
        await writer(adding("first"), "")
        return reasons_in(path)

    assert using(path, use) == (["first"], [])


def test_the_result_of_the_work_comes_back(path: Path) -> None:
    async def use(writer: LedgerWriter) -> tuple[str, dict[GuestId, GuestRecord]]:
        nothing: dict[GuestId, GuestRecord] = {}
        await writer(lambda ledger: ledger.note_up(guest(), BOOT), None)
        return await writer(adding("x"), ""), await writer(lambda ledger: ledger.guests(), nothing)

    (said, guests), trouble = using(path, use)
    assert said == "wrote x"
    up = GuestRecord(guest_id(), "web", Wanted.ON, up_boot=BOOT, as_of=BOOT, flag=False, up_since=1)
    assert guests == {guest_id(): up}
    assert trouble == []


def test_work_is_done_in_the_order_in_which_it_was_asked_for(path: Path) -> None:
    async def use(writer: LedgerWriter) -> None:
        await asyncio.gather(*(writer(adding(str(n)), "") for n in range(100)))

    using(path, use)
    assert reasons_in(path) == [str(n) for n in range(100)]


# Group commit


def test_a_thousand_writers_share_a_few_transactions(path: Path, statements: list[str]) -> None:
    gate = Gate()

    async def use(writer: LedgerWriter) -> list[str]:
        busy = asyncio.ensure_future(writer(gate.work, ""))
        await asyncio.to_thread(gate.reached.wait, LIMIT)
        statements.clear()
        writers = [asyncio.ensure_future(writer(adding(str(n)), "")) for n in range(1000)]
        await asyncio.sleep(0)
        gate.open()
        await busy
        return await asyncio.gather(*writers)

    results, trouble = using(path, use)
    assert results == [f"wrote {n}" for n in range(1000)]
    assert trouble == []
    begun = [sql for sql in statements if sql.startswith("BEGIN")]
    committed = [sql for sql in statements if sql.startswith("COMMIT")]
    # The one that kept the thread busy, and one for all that had come meanwhile.
    assert (len(begun), len(committed)) == (1, 2)
    assert reasons_in(path) == [str(n) for n in range(1000 - KEPT, 1000)]


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("x"), sqlite3.IntegrityError("x"), sqlite3.DataError("x")]
)
def test_work_that_fails_in_sqlite_gives_its_default_and_harms_no_other(
    path: Path, error: sqlite3.Error
) -> None:
    async def use(writer: LedgerWriter) -> list[str]:
        work = [adding("before"), failing(error), adding("after")]
        return await asyncio.gather(*(writer(one, "the default") for one in work))

    results, trouble = using(path, use)
    assert results == ["wrote before", "the default", "wrote after"]
    assert reasons_in(path) == ["before", "after"]
    assert len(trouble) == 1


@pytest.mark.parametrize("error", [KeyError("a bug"), ValueError("x"), RuntimeError("x")])
def test_any_other_failure_gives_its_default_and_harms_no_other(
    path: Path, error: Exception
) -> None:
    async def use(writer: LedgerWriter) -> list[str]:
        work = [adding("before"), failing(error), adding("after"), failing(error)]
        return await asyncio.gather(*(writer(one, "the default") for one in work))

    results, trouble = using(path, use)
    assert results == ["wrote before", "the default", "wrote after", "the default"]
    assert reasons_in(path) == ["before", "after"]
    assert len(trouble) == 1


def test_a_lasting_failure_is_told_once(path: Path) -> None:
    async def use(writer: LedgerWriter) -> None:
        for _ in range(10):
            await writer(failing(sqlite3.OperationalError("disk I/O error")), "")

    _, trouble = using(path, use)
    assert len(trouble) == 1
    assert "disk I/O error" in trouble[0]
    assert "may not be remembered" in trouble[0]


def test_text_that_cannot_be_stored_does_not_stop_a_run(path: Path) -> None:
    """Half a surrogate pair, as Python makes of bytes that are not UTF-8."""

    async def use(writer: LedgerWriter) -> list[str]:
        return [await writer(adding("g\udcffst"), "default"), await writer(adding("next"), "")]

    (first, after), _ = using(path, use)
    assert first in ("default", "wrote g\udcffst")
    assert after == "wrote next"


# The end


def test_closing_finishes_what_was_asked_for(path: Path) -> None:
    async def use(writer: LedgerWriter) -> list[str]:
        writers = [asyncio.ensure_future(writer(adding(str(n)), "")) for n in range(100)]
        await asyncio.sleep(0)
        writer.close()
        return await asyncio.gather(*writers)

    results, trouble = using(path, use)
    assert results == [f"wrote {n}" for n in range(100)]
    assert len(reasons_in(path)) == 100
    assert trouble == []


def test_closing_leaves_one_file_and_no_thread(path: Path) -> None:
    async def use(writer: LedgerWriter) -> None:
        await writer(adding("x"), "")

    using(path, use)
    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]
    assert "ledger" not in [thread.name for thread in threading.enumerate()]


def test_work_whose_asker_gave_up_is_done_all_the_same(path: Path) -> None:
    gate = Gate()

    async def use(writer: LedgerWriter) -> None:
        busy = asyncio.ensure_future(writer(gate.work, ""))
        given_up = asyncio.ensure_future(writer(adding("of a run that was interrupted"), ""))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.open()
        await busy
        with pytest.raises(asyncio.CancelledError):
            await given_up

    _, trouble = using(path, use)
    assert reasons_in(path) == ["of a run that was interrupted"]
    assert trouble == []
