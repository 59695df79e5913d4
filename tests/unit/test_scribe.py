"""Ledger work off the event loop: durable, many to one sync, and never in a run's way."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guestctl.ledger import writer as scribes
from guestctl.ledger.file import connect_to_read
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.writer import LedgerWriter
from guestctl.model.guest import GuestId
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.result import Trigger
from tests.unit.makers import BOOT, guest, guest_id
from tests.unit.running import run_async

T = TypeVar("T")
LIMIT = 10.0
Trouble = list[str]


@contextmanager
def open_scribe(path: Path) -> Iterator[tuple[LedgerWriter, Trouble]]:
    """A scribe, closed in the end, and what it complained of."""
    trouble: Trouble = []
    scribe = LedgerWriter(path, itertools.count(1).__next__, trouble.append)
    try:
        yield scribe, trouble
    finally:
        scribe.close()


def using(path: Path, use: Callable[[LedgerWriter], Awaitable[T]]) -> tuple[T, Trouble]:
    """What a coroutine makes of a scribe, and what was complained of."""

    async def main() -> T:
        return await use(scribe)

    with open_scribe(path) as (scribe, trouble):
        result = run_async(main())
    return result, trouble


def adding(reason: str) -> Callable[[Ledger], str]:
    """Work that writes one line and says so."""

    def work(ledger: Ledger) -> str:
        ledger.trail.add(guest_id(), "source", reason)
        return f"wrote {reason}"

    return work


def failing(error: Exception) -> Callable[[Ledger], str]:
    """Work that writes one line and then fails."""

    def work(ledger: Ledger) -> str:
        ledger.trail.add(guest_id(), "source", "half of it")
        raise error

    return work


def reasons_in(path: Path) -> list[str]:
    """What another process would read now."""
    db = connect_to_read(path)
    try:
        return [entry.reason for entry in Ledger(db, lambda: 0).trail.of(guest_id())]
    finally:
        db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that SQLite carries out in ledgers opened from now on."""
    seen: list[str] = []
    original = scribes.open_ledger

    def open_traced(*arguments: object) -> Ledger:
        ledger: Ledger = original(*arguments)  # type: ignore[arg-type]  # handed on as they came
        ledger.db.set_trace_callback(seen.append)
        return ledger

    monkeypatch.setattr(scribes, "open_ledger", open_traced)
    return seen


class Gate:
    """Keeps the ledger's thread busy until it is opened: a disk that does not answer."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def work(self, _ledger: Ledger) -> str:
        """Hang, as work of a ledger."""
        self.reached.set()
        self._opened.wait(LIMIT)
        return "answered at last"

    def open(self) -> None:
        """Let the disk answer."""
        self._opened.set()


# Results


def test_what_was_awaited_is_durable(path: Path) -> None:
    async def use(scribe: LedgerWriter) -> list[str]:
        await scribe(adding("first"), "")
        return reasons_in(path)

    assert using(path, use) == (["first"], [])


def test_the_result_of_the_work_comes_back(path: Path) -> None:
    async def use(scribe: LedgerWriter) -> tuple[str, dict[GuestId, GuestRecord]]:
        nothing: dict[GuestId, GuestRecord] = {}
        await scribe(lambda ledger: ledger.seen_up(guest(), BOOT), None)
        return await scribe(adding("x"), ""), await scribe(lambda ledger: ledger.guests(), nothing)

    (said, guests), trouble = using(path, use)
    assert said == "wrote x"
    assert guests == {guest_id(): GuestRecord(guest_id(), "web", Wanted.ON, up_boot=BOOT)}
    assert trouble == []


def test_work_is_done_in_the_order_in_which_it_was_asked_for(path: Path) -> None:
    async def use(scribe: LedgerWriter) -> None:
        await asyncio.gather(*(scribe(adding(str(n)), "") for n in range(100)))

    using(path, use)
    assert reasons_in(path) == [str(n) for n in range(100)]


# Group commit


def test_a_thousand_writers_share_a_few_transactions(path: Path, statements: list[str]) -> None:
    gate = Gate()

    async def use(scribe: LedgerWriter) -> list[str]:
        busy = asyncio.ensure_future(scribe(gate.work, ""))
        await asyncio.to_thread(gate.reached.wait, LIMIT)
        statements.clear()
        writers = [asyncio.ensure_future(scribe(adding(str(n)), "")) for n in range(1000)]
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
    assert len(reasons_in(path)) == 1000


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("x"), sqlite3.IntegrityError("x"), sqlite3.DataError("x")]
)
def test_work_that_fails_in_sqlite_gives_its_default_and_harms_no_other(
    path: Path, error: sqlite3.Error
) -> None:
    async def use(scribe: LedgerWriter) -> list[str]:
        work = [adding("before"), failing(error), adding("after")]
        return await asyncio.gather(*(scribe(one, "the default") for one in work))

    results, trouble = using(path, use)
    assert results == ["wrote before", "the default", "wrote after"]
    assert reasons_in(path) == ["before", "after"]
    assert len(trouble) == 1


@pytest.mark.parametrize("error", [KeyError("a bug"), ValueError("x"), RuntimeError("x")])
def test_any_other_failure_gives_its_default_and_harms_no_other(
    path: Path, error: Exception
) -> None:
    async def use(scribe: LedgerWriter) -> list[str]:
        work = [adding("before"), failing(error), adding("after"), failing(error)]
        return await asyncio.gather(*(scribe(one, "the default") for one in work))

    results, trouble = using(path, use)
    assert results == ["wrote before", "the default", "wrote after", "the default"]
    assert reasons_in(path) == ["before", "after"]
    assert len(trouble) == 1


def test_a_lasting_failure_is_told_once(path: Path) -> None:
    async def use(scribe: LedgerWriter) -> None:
        for _ in range(10):
            await scribe(failing(sqlite3.OperationalError("disk I/O error")), "")

    _, trouble = using(path, use)
    assert len(trouble) == 1
    assert "disk I/O error" in trouble[0]
    assert "may not be remembered" in trouble[0]


def test_text_that_cannot_be_stored_does_not_stop_a_run(path: Path) -> None:
    """Half a surrogate pair, as Python makes of bytes that are not UTF-8."""

    async def use(scribe: LedgerWriter) -> list[str]:
        return [await scribe(adding("g\udcffst"), "default"), await scribe(adding("next"), "")]

    (first, after), _ = using(path, use)
    assert first in ("default", "wrote g\udcffst")
    assert after == "wrote next"


# The end


def test_closing_finishes_what_was_asked_for(path: Path) -> None:
    async def use(scribe: LedgerWriter) -> list[str]:
        writers = [asyncio.ensure_future(scribe(adding(str(n)), "")) for n in range(100)]
        await asyncio.sleep(0)
        scribe.close()
        return await asyncio.gather(*writers)

    results, trouble = using(path, use)
    assert results == [f"wrote {n}" for n in range(100)]
    assert len(reasons_in(path)) == 100
    assert trouble == []


def test_closing_leaves_one_file_and_no_thread(path: Path) -> None:
    async def use(scribe: LedgerWriter) -> None:
        await scribe(adding("x"), "")

    using(path, use)
    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]
    assert "ledger" not in [thread.name for thread in threading.enumerate()]


def test_work_whose_asker_gave_up_is_done_all_the_same(path: Path) -> None:
    gate = Gate()

    async def use(scribe: LedgerWriter) -> None:
        busy = asyncio.ensure_future(scribe(gate.work, ""))
        given_up = asyncio.ensure_future(scribe(adding("of a run that was interrupted"), ""))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.open()
        await busy
        with pytest.raises(asyncio.CancelledError):
            await given_up

    _, trouble = using(path, use)
    assert reasons_in(path) == ["of a run that was interrupted"]
    assert trouble == []


# Ledgers that are of no use


def test_a_disk_that_hangs_is_done_without(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribes, "LEDGER_LIMIT", 0.05)
    gate = Gate()

    async def use(scribe: LedgerWriter) -> list[str]:
        waited = await asyncio.gather(scribe(gate.work, "one"), scribe(adding("x"), "two"))
        # From here on nobody waits any more.
        monkeypatch.setattr(scribes, "LEDGER_LIMIT", 3600.0)
        later = [await scribe(adding("y"), "three") for _ in range(3)]
        gate.open()
        return [*waited, *later]

    results, trouble = using(path, use)
    assert results == ["one", "two", "three", "three", "three"]
    assert len(trouble) == 1
    assert "did not answer" in trouble[0]


def test_a_disk_that_answers_again_is_used_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "LEDGER_LIMIT", 0.05)
    gate = Gate()

    async def use(scribe: LedgerWriter) -> list[str]:
        hung = await scribe(gate.work, "hung")
        monkeypatch.setattr(scribes, "LEDGER_LIMIT", LIMIT)
        meanwhile = await scribe(adding("meanwhile"), "not waited for")
        stuck = scribe._stuck
        assert stuck is not None
        gate.open()
        await stuck
        return [hung, meanwhile, await scribe(adding("later"), "given up")]

    results, trouble = using(path, use)
    assert results == ["hung", "not waited for", "wrote later"]
    assert reasons_in(path) == ["meanwhile", "later"]
    assert len(trouble) == 1


def test_closing_does_not_wait_for_a_disk_that_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "LEDGER_LIMIT", 0.05)
    gate = Gate()
    with open_scribe(path) as (scribe, _):

        async def use() -> str:
            return await scribe(gate.work, "default")

        assert run_async(use()) == "default"
        scribe.close()
        assert scribe._thread.is_alive()
        gate.open()
        scribe._thread.join(LIMIT)


def test_without_a_place_for_it_a_ledger_is_kept_in_memory(tmp_path: Path) -> None:
    async def use(scribe: LedgerWriter) -> str:
        return await scribe(adding("x"), "default")

    result, trouble = using(tmp_path / "absent" / "ledger.db", use)
    assert result == "wrote x"
    assert len(trouble) == 1
    assert "nothing is remembered" in trouble[0]


def shrink(ledger: Ledger) -> None:
    """Let the database grow no further, as if the disk were full."""
    pages = ledger.db.execute("PRAGMA page_count").fetchone()[0]
    ledger.db.execute(f"PRAGMA max_page_count = {pages}").fetchone()


def test_a_full_disk_is_told_once_and_what_was_there_can_still_be_read(path: Path) -> None:
    async def use(scribe: LedgerWriter) -> tuple[set[str], int, bool]:
        await scribe(adding("before"), "")
        await scribe(shrink, None)
        calls = (scribe(adding("x" * 5000), "default") for _ in range(20))
        results = set(await asyncio.gather(*calls))
        count = await scribe(lambda ledger: len(ledger.trail.of(guest_id())), -1)
        # Transactions are begun and ended as ever.
        transactional = await scribe(lambda ledger: ledger.db.in_transaction, False)
        return results, count, transactional

    (results, count, transactional), trouble = using(path, use)
    assert "default" in results
    assert count >= 1
    assert transactional
    assert len(trouble) == 1
    assert "full" in trouble[0]
    assert reasons_in(path)[0] == "before"


_ON_A_FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from guestctl.model.plan import RunKind
from guestctl.model.result import Trigger
from guestctl.ledger.writer import LedgerWriter

async def main(scribe):
    begin = lambda ledger: ledger.begin_run(RunKind.PRESERVE, Trigger.HOST_STOP, "boot")
    print([await scribe(begin, "default") for _ in range(3)])

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
scribe = LedgerWriter(Path(sys.argv[1]), lambda: 1, lambda text: print("trouble:", text))
asyncio.run(main(scribe))
scribe.close()
"""


@pytest.mark.parametrize("room", [0, 100, 4096, 20_000])
@pytest.mark.parametrize("exists", [True, False])
def test_files_that_cannot_grow_do_not_stop_a_run(path: Path, exists: bool, room: int) -> None:
    if exists:
        using(path, lambda scribe: scribe(adding("x" * 30_000), ""))
    result = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, str(path), str(room)],
        check=True,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    *trouble, answers = result.stdout.splitlines()
    assert result.stderr == ""
    assert len(trouble) == 1
    assert trouble[0].startswith("trouble: cannot")
    assert answers in ("['default', 'default', 'default']", "[1, 2, 3]")


# Whatever is in the file


async def use_all(scribe: LedgerWriter) -> None:
    """What a run and the verbs do with a ledger."""
    nothing: dict[GuestId, GuestRecord] = {}
    await scribe(lambda ledger: ledger.guests(), nothing)
    number = await scribe(
        lambda ledger: ledger.begin_run(RunKind.PRESERVE, Trigger.BOOT, BOOT), None
    )
    await scribe(lambda ledger: ledger.seen_up(guest(), BOOT), None)
    await scribe(lambda ledger: ledger.taking_down(guest()), None)
    await scribe(lambda ledger: ledger.begin_step(number, guest(), Step.SAVE), None)
    await scribe(adding("x"), "")
    await scribe(lambda ledger: ledger.restored_since_preserve(BOOT), None)
    await scribe(lambda ledger: len(ledger.runs()), 0)
    await scribe(lambda ledger: len(ledger.trail.of(guest_id())), 0)


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
    with mock.patch.object(scribes, "LEDGER_LIMIT", 3.0):
        _, trouble = using(path, use_all)
    assert not any("did not answer" in text for text in trouble)
    # Loudly: nothing is set aside without a word.
    assert any("set aside" in text for text in trouble) == bool(list(scratch.glob("*.damaged-*")))


places = st.integers(0, 2**20) | st.integers(0, 100) | st.integers(100, 4095)


@settings(max_examples=60)
@given(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=20))
def test_flipped_bytes_never_stop_a_run(
    scratch: Path, pristine: Path, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(pristine.read_bytes())
    for place, value in flips:
        content[place % len(content)] = value
    _use_damaged(scratch, bytes(content))


@settings(max_examples=60)
@given(st.integers(0, 2**20), st.binary(max_size=200))
@example(0, b"")
@example(4096, b"")
def test_a_truncated_or_overwritten_ledger_never_stops_a_run(
    scratch: Path, pristine: Path, length: int, tail: bytes
) -> None:
    content = pristine.read_bytes()
    _use_damaged(scratch, content[: length % len(content)] + tail)


CHANGED_CELLS = [
    "UPDATE guest SET wanted = 'om'",
    "UPDATE guest SET stopped_by = 'hosu'",
    "UPDATE guest SET taken_down = 7",
    "UPDATE guest SET name = CAST(x'ff' AS TEXT)",
    "UPDATE run SET kind = 'preservf'",
    "UPDATE run SET door = ''",
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

    async def use(scribe: LedgerWriter) -> str:
        await use_all(scribe)
        return await scribe(adding("y"), "")

    result, _ = using(path, use)
    assert result == "wrote y"


# A file that is there again


async def wanted_there(scribe: LedgerWriter) -> int:
    return await scribe(lambda ledger: len(ledger.guests()), -1)


def test_a_file_that_was_set_aside_by_another_is_opened_anew(tmp_path: Path) -> None:
    run_async(see_it_set_aside(tmp_path))


async def see_it_set_aside(tmp_path: Path) -> None:
    path, said = tmp_path / "ledger.db", list[str]()
    scribe = LedgerWriter(path, lambda: 1, said.append)
    await scribe(lambda ledger: ledger.seen_up(guest(), BOOT), None)
    assert not await scribe.renew()
    scribes.set_aside(path)
    other = LedgerWriter(path, lambda: 1, said.append)
    await other(lambda ledger: ledger.seen_up(guest("db", 2), BOOT), None)
    await other(lambda ledger: ledger.seen_up(guest("mail", 3), BOOT), None)
    other.close()
    assert await wanted_there(scribe) == 1
    assert await scribe.renew()
    assert await wanted_there(scribe) == 2
    assert said == [f"the ledger {path} is in use again"]
    scribe.close()


def test_a_folder_that_was_not_there_is_used_once_it_is(tmp_path: Path) -> None:
    run_async(see_it_come(tmp_path))


async def see_it_come(tmp_path: Path) -> None:
    folder, said = tmp_path / "state", list[str]()
    scribe = LedgerWriter(folder / "ledger.db", lambda: 1, said.append)
    await scribe(lambda ledger: ledger.seen_up(guest(), BOOT), None)
    assert not await scribe.renew()
    folder.mkdir()
    assert await scribe.renew()
    await scribe(lambda ledger: ledger.seen_up(guest("db", 2), BOOT), None)
    scribe.close()
    assert (folder / "ledger.db").exists()
    assert len(said) == 2
