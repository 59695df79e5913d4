"""What reading is answered with: shared while it is made, in few threads, never kept."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.control import answers, served
from guestctl.control.answers import Answer, Answers
from guestctl.control.local import Local
from guestctl.control.recorded import history
from guestctl.control.requests import Failure, RequestError
from guestctl.control.served import Opening, Served
from guestctl.host import tasks
from guestctl.host.locks import HostRunLock
from guestctl.ledger import opening
from guestctl.ledger.file import connect
from guestctl.ledger.ledger import Ledger
from guestctl.model.history import Actor
from guestctl.runs.context import Inventory
from tests.ledgers import a_run, clock
from tests.unit.makers import guest
from tests.unit.private_bus import until
from tests.unit.running import run_async

ALICE = Actor("alice", None, "guestctl hold")


class Readers:
    """Answers whose work waits until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def opened(
            _: Opening, complain: Callable[[str], None], asked_by: Actor | None = None
        ) -> Served:
            return Served(Config(), ("test:///default",), complain, asked_by=asked_by)

        monkeypatch.setattr(Opening, "__call__", opened)
        self.answers = Answers(Opening(None, tuple), lambda: True)
        self.gate = threading.Event()
        self.begun = 0

    def read(self, local: Local) -> int:
        """How many have begun by then."""
        self.begun += 1
        local.complain("something is slow")
        assert self.gate.wait(5)
        return self.begun

    def ask(self, key: str) -> asyncio.Future[Answer[int]]:
        """One more who asks."""
        return asyncio.ensure_future(self.answers._read(key, self.read))


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    """None at work yet."""
    return Readers(monkeypatch)


def test_who_asks_for_the_same_shares_the_answer(readers: Readers) -> None:
    async def work() -> None:
        asked = [readers.ask("facts") for _ in range(20)]
        await until(lambda: readers.begun == 1)
        readers.gate.set()
        found = await asyncio.gather(*asked)
        assert found == [Answer(1, ("something is slow",))] * 20
        assert (await readers.ask("facts")).value == 2  # none is kept

    run_async(work())


def test_what_was_written_is_seen_by_who_asks_after_it(readers: Readers) -> None:
    async def work() -> None:
        before = readers.ask("facts")
        await until(lambda: readers.begun == 1)
        readers.answers.renew()
        after = readers.ask("facts")
        await until(lambda: readers.begun == 2)
        readers.gate.set()
        await asyncio.gather(before, after)

    run_async(work())


def test_few_are_at_work_at_the_same_time_and_who_acts_does_not_wait(readers: Readers) -> None:
    async def work() -> None:
        asked = [readers.ask(str(n)) for n in range(10)]
        await until(lambda: readers.begun == answers.AT_ONCE)
        await asyncio.sleep(0.05)
        assert readers.begun == answers.AT_ONCE
        acted = await readers.answers._act(ALICE, lambda local: local.actor)
        assert acted.value == ALICE
        readers.gate.set()
        await asyncio.gather(*asked)

    run_async(work())


def test_what_nobody_waits_for_any_more_is_not_begun(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers who come, ask and leave would fill the queue for those who stay."""
    monkeypatch.setattr(answers, "REST", 0.0)

    async def work() -> None:
        begun = [readers.ask(str(n)) for n in range(answers.AT_ONCE)]
        await until(lambda: readers.begun == answers.AT_ONCE)
        left, both = [readers.ask(f"left {n}") for n in range(20)], readers.ask("both")
        stays = readers.ask("both")
        await asyncio.sleep(0)
        for asked in (*begun, *left, both):
            asked.cancel()
        await asyncio.gather(*begun, *left, both, return_exceptions=True)
        again = readers.ask("left 0")
        readers.gate.set()
        assert {(await stays).value, (await again).value} <= {3, 4}
        assert readers.begun == answers.AT_ONCE + 2
        await until(lambda: not readers.answers._under_way)
        assert not readers.answers._askers

    run_async(work())


def test_what_takes_too_long_is_an_error_and_keeps_its_thread(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LIMIT", 0.05)
    monkeypatch.setattr(answers, "REST", 0.0)

    async def work() -> None:
        asked: list[Any] = await asyncio.gather(
            *(readers.ask(str(n)) for n in range(5)), return_exceptions=True
        )
        assert {error.failure for error in asked} == {Failure.NOT_ALL_WELL}
        assert all(isinstance(error, RequestError) for error in asked)
        assert readers.begun == answers.AT_ONCE
        await until(lambda: len(readers.answers._under_way) == answers.AT_ONCE)
        monkeypatch.setattr(answers, "LIMIT", 5.0)
        readers.gate.set()
        found = (await readers.ask("another")).value
        assert found == answers.AT_ONCE + 1  # nothing is asked for who has given up
        await until(lambda: not readers.answers._under_way)

    run_async(work())


def test_calls_that_never_return_are_few(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A libvirt that hangs would have a thread and a file of the service with each question."""
    monkeypatch.setattr(answers, "REST", 0.0)
    monkeypatch.setattr(served, "HANGS", 0.0)

    async def call_in_vain(*_: object, **__: object) -> Inventory:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await tasks.start(lambda: readers.gate.wait(5))
        return Inventory((), {})

    monkeypatch.setattr(Local, "_read", call_in_vain)

    async def work() -> None:
        for _ in range(served.MOST_HANGING):
            assert not (await readers.answers._read("facts", _lost)).value
        said = (await readers.answers._read("facts", _lost)).complaints
        assert said == (
            "cannot ask test:///default: it hangs: 8 calls of before have not returned",
        )
        readers.gate.set()
        await until(lambda: readers.answers._account.older_than(0.0) == 0)
        assert not (await readers.answers._read("facts", _lost)).value

    run_async(work())


def _lost(local: Local) -> object:
    return asyncio.run(local.read()).lost


def test_where_a_disk_hangs_little_is_read_and_who_acts_may(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LIMIT", 0.05)
    monkeypatch.setattr(answers, "REST", 0.0)
    monkeypatch.setattr(answers, "MOST_THREADS", 2)

    def look_in_vain(_: Local) -> None:
        with contextlib.suppress(TimeoutError):
            tasks.in_time(0.01, lambda: readers.gate.wait(5))

    async def work() -> None:
        said = ""
        while "2 questions of before have no answer" not in said:
            asked = readers.answers._read("facts", look_in_vain)
            said = str(await asyncio.gather(asked, return_exceptions=True))
            await asyncio.sleep(0.02)
        monkeypatch.setattr(answers, "LIMIT", 5.0)
        assert (await readers.answers._act(ALICE, lambda local: local.actor)).value == ALICE
        readers.gate.set()

    run_async(work())


def test_a_history_without_end_is_not_made(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would be the service's memory: two hundred runs of a thousand guests, and their steps."""
    monkeypatch.setattr(Local, "ask_ledger", lambda _, question, __: question(ledger))
    monkeypatch.setattr(Local, "lock", HostRunLock(tmp_path, print))
    for _ in range(3):
        run = a_run(ledger)
        for number in range(4):
            ledger.runs.begin_guest(run, guest(f"g{number}", number))
    local = Served(Config(), ("test:///default",), print)
    assert len(history(local, 2, most=8)) == 2
    with pytest.raises(RequestError, match="3 runs at once: ask for 2 at most"):
        history(local, 3, most=8)
    assert len(history(local, 1, most=1)) == 1


def test_the_services_own_ledger_is_never_copied_to_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To close the copied file would end the locks that the service has on it."""
    path, complaints = tmp_path / "ledger.db", list[str]()
    monkeypatch.setattr(Local, "ledger_path", path)
    monkeypatch.setattr(opening, "copy_of", lambda _: pytest.fail("it was copied"))
    local = Served(Config(), ("test:///default",), complaints.append)
    assert local.ask_ledger(lambda it: it.trail.newest(), None) == 0
    with closing(connect(path)) as db:
        a_run(Ledger(db, clock()))
        assert local.ask_ledger(lambda it: len(it.runs.newest(9)), None) == 1
    path.write_bytes(b"garbage" * 1000)
    assert local.ask_ledger(lambda it: it.trail.newest(), None) is None
    assert complaints[-1].startswith(f"cannot read the ledger {path}: ")
