"""Disks that hang or are full, and files that were not there: never in a run's way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from guestctl.ledger import writer as writer_module
from guestctl.ledger.ledger import Ledger
from guestctl.ledger.opening import set_aside
from guestctl.ledger.writer import LedgerWriter
from tests.ledgers import clock
from tests.unit.ledger_writers import (
    LIMIT,
    Gate,
    adding,
    open_writer,
    reasons_in,
    using,
)
from tests.unit.makers import BOOT, guest, guest_id
from tests.unit.running import run_async


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


# Ledgers that are of no use


def test_a_disk_that_hangs_is_done_without(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LEDGER_LIMIT", 0.05)
    gate = Gate()

    async def use(writer: LedgerWriter) -> list[str]:
        waited = await asyncio.gather(writer(gate.work, "one"), writer(adding("x"), "two"))
        # From here on nobody waits any more.
        monkeypatch.setattr(writer_module, "LEDGER_LIMIT", 3600.0)
        later = [await writer(adding("y"), "three") for _ in range(3)]
        gate.open()
        return [*waited, *later]

    results, trouble = using(path, use)
    assert results == ["one", "two", "three", "three", "three"]
    assert len(trouble) == 1
    assert "did not answer" in trouble[0]


def test_a_disk_that_answers_again_is_used_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "LEDGER_LIMIT", 0.05)
    gate = Gate()

    async def use(writer: LedgerWriter) -> list[str]:
        hung = await writer(gate.work, "hung")
        monkeypatch.setattr(writer_module, "LEDGER_LIMIT", LIMIT)
        meanwhile = await writer(adding("meanwhile"), "not waited for")
        stuck = writer._stuck
        assert stuck is not None
        gate.open()
        await stuck
        return [hung, meanwhile, await writer(adding("later"), "given up")]

    results, trouble = using(path, use)
    assert results == ["hung", "not waited for", "wrote later"]
    assert reasons_in(path) == ["meanwhile", "later"]
    assert len(trouble) == 1


def test_closing_does_not_wait_for_a_disk_that_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "LEDGER_LIMIT", 0.05)
    gate = Gate()
    with open_writer(path) as (writer, _):

        async def use() -> str:
            return await writer(gate.work, "default")

        assert run_async(use()) == "default"
        writer.close()
        assert writer._thread.is_alive()
        gate.open()
        writer._thread.join(LIMIT)


def test_without_a_place_for_it_a_ledger_is_kept_in_memory(tmp_path: Path) -> None:
    async def use(writer: LedgerWriter) -> str:
        return await writer(adding("x"), "default")

    result, trouble = using(Path("/proc/absent/ledger.db"), use)
    assert result == "wrote x"
    assert len(trouble) == 1
    assert "nothing is remembered" in trouble[0]


def shrink(ledger: Ledger) -> None:
    """Let the database grow no further, as if the disk were full."""
    pages = ledger.db.execute("PRAGMA page_count").fetchone()[0]
    ledger.db.execute(f"PRAGMA max_page_count = {pages}").fetchone()


def test_a_full_disk_is_told_once_and_what_was_there_can_still_be_read(path: Path) -> None:
    async def use(writer: LedgerWriter) -> tuple[set[str], int, bool]:
        await writer(adding("before"), "")
        await writer(shrink, None)
        calls = (writer(adding("x" * 5000), "default") for _ in range(20))
        results = set(await asyncio.gather(*calls))
        count = await writer(lambda ledger: len(ledger.trail.of(guest_id())), -1)
        # Transactions are begun and ended as ever.
        transactional = await writer(lambda ledger: ledger.db.in_transaction, False)
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
from guestctl.host import machine
from guestctl.model.plan import RunKind
from guestctl.model.result import Trigger
from guestctl.ledger.writer import LedgerWriter

async def main(writer):
    begin = lambda ledger: ledger.runs.begin(RunKind.PRESERVE, Trigger.HOST_STOP, "boot")
    print([await writer(begin, "default") for _ in range(3)])

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
writer = LedgerWriter(Path(sys.argv[1]), machine.now, lambda text: print("trouble:", text))
asyncio.run(main(writer))
writer.close()
"""


@pytest.mark.parametrize("room", [0, 100, 4096, 20_000])
@pytest.mark.parametrize("exists", [True, False])
def test_files_that_cannot_grow_do_not_stop_a_run(path: Path, exists: bool, room: int) -> None:
    if exists:
        using(path, lambda writer: writer(adding("x" * 30_000), ""))
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


# A file that is there again


async def wanted_there(writer: LedgerWriter) -> int:
    return await writer(lambda ledger: len(ledger.guests()), -1)


def test_a_file_that_was_set_aside_by_another_is_opened_anew(tmp_path: Path) -> None:
    run_async(see_it_set_aside(tmp_path))


async def see_it_set_aside(tmp_path: Path) -> None:
    path, said = tmp_path / "ledger.db", list[str]()
    writer = LedgerWriter(path, clock(), said.append)
    await writer(lambda ledger: ledger.note_up(guest(), BOOT), None)
    assert not await writer.renew()
    set_aside(path)
    other = LedgerWriter(path, clock(), said.append)
    await other(lambda ledger: ledger.note_up(guest("db", 2), BOOT), None)
    await other(lambda ledger: ledger.note_up(guest("mail", 3), BOOT), None)
    other.close()
    assert await wanted_there(writer) == 1
    assert await writer.renew()
    assert await wanted_there(writer) == 2
    assert said == [f"the ledger {path} is in use again"]
    writer.close()


def test_a_folder_that_was_not_there_is_used_once_it_is(tmp_path: Path) -> None:
    run_async(see_it_come(tmp_path))


async def see_it_come(tmp_path: Path) -> None:
    """A file is in its way at first."""
    folder, said = tmp_path / "state", list[str]()
    folder.touch()
    writer = LedgerWriter(folder / "ledger.db", clock(), said.append)
    await writer(lambda ledger: ledger.note_up(guest(), BOOT), None)
    assert not await writer.renew()
    folder.unlink()
    assert await writer.renew()
    await writer(lambda ledger: ledger.note_up(guest("db", 2), BOOT), None)
    writer.close()
    assert (folder / "ledger.db").exists()
    assert len(said) == 2


# A sandbox without a folder for temporary files, as the units have it

PROJECT = Path(__file__).parents[2]
_IN_A_SANDBOX = """
import asyncio, sys
from pathlib import Path
from guestctl.host import machine
from guestctl.ledger.writer import LedgerWriter
from guestctl.model.plan import RunKind
from guestctl.model.result import Trigger
from tests.ledgers import taking_down
from tests.unit.makers import BOOT, guest

GUESTS = [guest(f"guest {number}", number) for number in range(60)]

def notice(ledger):
    for one in GUESTS:
        ledger.note_up(one, BOOT)

def begin(ledger):
    run = ledger.runs.begin(RunKind.PRESERVE, Trigger.HOST_STOP, BOOT)
    for one in GUESTS:
        ledger.note_up(one, BOOT)
        taking_down(ledger, one)
        ledger.runs.begin_guest(run, one)
        ledger.trail.add(one.id, "guestctl", "a line")
    return run

async def main(writer):
    print(await asyncio.gather(*(writer(work, "lost") for work in (notice, begin, begin))))

writer = LedgerWriter(Path(sys.argv[1]) / "ledger.db", machine.now, print)
asyncio.run(main(writer))
writer.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close folders to writing")
def test_many_that_write_at_a_time_need_no_temporary_file(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        closed = "".join(
            f"mount --bind {place} {place} && mount -o remount,bind,ro {place} && "
            for place in ("/tmp", "/var/tmp")
        )
        script = f'{closed} cd /proc && exec {sys.executable} -c "$0" {folder}'
        environment = {"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, _IN_A_SANDBOX],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("[None, 1, 2]\n", "")
