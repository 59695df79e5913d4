"""What reading is answered with: shared while it is made, in few threads, never kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.control import answers
from guestctl.control.answers import Answer, Answers
from guestctl.control.local import Local
from guestctl.control.requests import Failure, RequestError
from guestctl.control.served import Opening, Served
from guestctl.model.history import Actor
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


def test_what_takes_too_long_is_an_error_and_keeps_its_thread(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LIMIT", 0.05)

    async def work() -> None:
        asked: list[Any] = await asyncio.gather(
            *(readers.ask(str(n)) for n in range(5)), return_exceptions=True
        )
        assert {error.failure for error in asked} == {Failure.NOT_ALL_WELL}
        assert all(isinstance(error, RequestError) for error in asked)
        assert readers.begun == answers.AT_ONCE
        readers.gate.set()
        await until(lambda: readers.begun == 5)

    run_async(work())
