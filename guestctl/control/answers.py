"""What reading is answered with, in threads: libvirt and the disk keep no run waiting.

What nothing but an answer needs is imported as one is made: a service that nobody asks does
without.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from ..host import tasks
from ..model.guest import GuestId
from ..model.history import Actor, TrailEntry
from ..model.overview import Row
from ..model.plan import RunKind
from .local import Local
from .requests import Failure, PolicyRequest, RequestError, Who
from .served import Opening

#: Seconds for an answer, and how many are made at the same time.
LIMIT, AT_ONCE = 60.0, 2
#: After an answer its thread rests for so many times as long as that took, at most so many seconds:
#: whoever asks without end has half of a processor at most.
REST, LONGEST_REST = 1.0, 2.0
#: The same while the host goes down.
REST_AT_THE_END, LONGEST_AT_THE_END = 20.0, 30.0
#: With so many threads that have not returned for LIMIT nothing more is read: where it is libvirt
#: that hangs it is not asked by then (see Served), so that a disk does.
MOST_THREADS = 64
#: Guests and steps of past runs that one answer has at most: 10 runs of 1000 guests have 40,000.
MOST_ROWS = 75_000
#: So many complaints come with an answer.
MOST_COMPLAINTS = 100

T = TypeVar("T")


class Answer(NamedTuple, Generic[T]):
    """What was asked for, and what went wrong on the way and ended nothing."""

    value: T
    complaints: tuple[str, ...]


class Answers:
    """Asked in the event loop.  Every method can raise RequestError, and takes LIMIT at most."""

    def __init__(self, opening: Opening, host_stays: Callable[[], bool]) -> None:
        """host_stays: whether nobody says that the host goes down."""
        self._open = opening
        self._host_stays = host_stays
        # Who may act does not wait for those who may only read.
        self._reading, self._acting = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(1)
        self._under_way: dict[Hashable, asyncio.Task[Answer[Any]]] = {}
        #: How many wait for each answer, and those that are being made in a thread.
        self._askers: Counter[asyncio.Future[Answer[Any]]] = Counter()
        self._at_work: set[asyncio.Future[Answer[Any]] | None] = set()
        self._account = tasks.Account()

    def renew(self) -> None:
        """Something was written: nobody is told what was read before."""
        self._under_way = {}

    async def facts(self) -> Answer[str]:
        """What `facts` prints."""
        return await self._read("facts", _facts)

    async def rows(self) -> Answer[list[Row]]:
        """Every guest that is known of."""
        return await self._read("rows", _rows)

    async def status(self) -> Answer[str]:
        """What `status --json` prints."""
        return await self._read("status", _status)

    async def history(self, count: int, names: Sequence[str], kind: RunKind | None) -> Answer[str]:
        """What `history --json` prints."""
        key = ("history", count, tuple(names), kind)
        return await self._read(key, lambda local: _history(local, count, names, kind))

    async def why(self, name: str) -> Answer[str]:
        """The reason trail of guests of this name or UUID, as JSON."""
        return await self._read(("why", name), lambda local: _why(local, name))

    async def of(self, guest: GuestId) -> Answer[str]:
        """The reason trail of this one."""
        return await self._read(("of", guest), lambda local: _of(local, guest))

    # What only writes, for somebody: it may be done yet where there is no answer

    async def mark(
        self, asked_by: Actor, how: str, names: Sequence[Who], reason: str | None
    ) -> Answer[list[tuple[str, str]]]:
        """`hold`, `release` or `forget`: of each guest its name, and what is said of it."""
        return await self._act(asked_by, lambda local: _mark(local, how, names, reason))

    async def change_policy(self, asked_by: Actor, request: PolicyRequest) -> Answer[str]:
        """`policy --set` and `--unset`: what was changed, as JSON."""
        file = self._open.file
        return await self._act(asked_by, lambda local: _change_policy(local, file, request))

    async def _act(self, asked_by: Actor, work: Callable[[Local], T]) -> Answer[T]:
        doing = asyncio.ensure_future(self._in_thread(self._acting, work, asked_by))
        try:
            return await self._in_time(doing)
        finally:
            self.renew()

    async def _read(self, key: Hashable, work: Callable[[Local], T]) -> Answer[T]:
        """Who asks for what is being read shares its answer, which is not kept after that.

        What nobody waits for any more is not begun.
        """
        self._refuse_in_vain()
        reading = self._under_way.get(key)
        if reading is None:
            reading = asyncio.ensure_future(self._in_thread(self._reading, work))
            self._under_way[key] = reading
            reading.add_done_callback(lambda done: self._ended(key, done))
        self._askers[reading] += 1
        try:
            answer: Answer[T] = await self._in_time(reading)
            return answer
        finally:
            self._gone(key, reading)

    def _gone(self, key: Hashable, reading: asyncio.Task[Answer[Any]]) -> None:
        """One of those who wait for that does so no longer."""
        self._askers[reading] -= 1
        if self._askers[reading]:
            return
        del self._askers[reading]
        if reading not in self._at_work and reading.cancel():
            self._ended(key, reading)

    def _ended(self, key: Hashable, reading: asyncio.Task[Answer[Any]]) -> None:
        if self._under_way.get(key) is reading:
            del self._under_way[key]

    async def _in_time(self, doing: asyncio.Future[T]) -> T:
        doing.add_done_callback(_look_at)
        try:
            async with asyncio.timeout(LIMIT):
                return await asyncio.shield(doing)
        except TimeoutError:
            text = f"no answer within {LIMIT:g} s: libvirt, or a disk, is slow"
            raise RequestError(Failure.NOT_ALL_WELL, text) from None

    async def _in_thread(
        self, free: asyncio.Semaphore, work: Callable[[Local], T], *asked_by: Actor
    ) -> Answer[T]:
        def do() -> Answer[T]:
            complaints: list[str] = []
            with self._account.open():
                value = work(self._open(complaints.append, *asked_by))
            return Answer(value, tuple(complaints[:MOST_COMPLAINTS]))

        async with asyncio.timeout(LIMIT):  # nobody waits any longer
            await free.acquire()
        loop, doing = asyncio.get_running_loop(), asyncio.current_task()
        began = loop.time()
        self._at_work.add(doing)
        try:
            return await tasks.start(do)
        finally:
            self._at_work.discard(doing)
            loop.call_later(self._rest(loop.time() - began), free.release)

    def _refuse_in_vain(self) -> None:
        """The service has threads and files for its own work to spare, whatever libvirt does."""
        if (hanging := self._account.older_than(LIMIT)) >= MOST_THREADS:
            text = f"{hanging} questions of before have no answer: a disk hangs"
            raise RequestError(Failure.NOT_ALL_WELL, text)

    def _rest(self, took: float) -> float:
        if self._host_stays():
            return min(REST * took, LONGEST_REST)
        return min(REST_AT_THE_END * took, LONGEST_AT_THE_END)


def _look_at(doing: asyncio.Future[T]) -> None:
    if not doing.cancelled():
        doing.exception()  # nobody may wait for it any more, and asyncio would log it


# In a thread


def _facts(local: Local) -> str:
    from .facts_text import to_text
    from .gathering import gather

    return to_text(gather(local))


def _rows(local: Local) -> list[Row]:
    from . import queries
    from .gathering import gather

    rows, _ = queries.guests(gather(local))
    return rows


def _status(local: Local) -> str:
    from .status import status

    return json.dumps(status(local, hosts_files=True).values)


def _history(local: Local, count: int, names: Sequence[str], kind: RunKind | None) -> str:
    from .recorded import history
    from .replies import past_json

    return json.dumps([past_json(past) for past in history(local, count, names, kind, MOST_ROWS)])


def _why(local: Local, name: str) -> str:
    from .recorded import trail

    inventory = asyncio.run(local.read())
    by_name = [guest.id for guest in inventory.guests if guest.name == name]
    listed = by_name or [g.id for g in inventory.guests if g.id.uuid == name.lower()]
    return _trail_json(trail(local, name, None, listed))


def _of(local: Local, guest: GuestId) -> str:
    from .recorded import trail

    return _trail_json(trail(local, guest.uuid, (), [guest]))


def _mark(
    local: Local, how: str, names: Sequence[Who], reason: str | None
) -> list[tuple[str, str]]:
    from . import actions

    act = {"hold": actions.hold, "release": actions.release, "forget": actions.forget}[how]
    return [(guest.name, text) for guest, text in act(local, names, reason)]


def _change_policy(local: Local, file: Path | None, request: PolicyRequest) -> str:
    from ..config import reading
    from .policy_change import change_policy

    changed = change_policy(reading.read(file), request, local)
    changes = [change._asdict() for change in changed.changes]
    remarks, booked = list(changed.remarks), changed.is_booked
    return json.dumps({"changes": changes, "remarks": remarks, "booked": booked})


def _trail_json(entries: Sequence[tuple[GuestId, TrailEntry]]) -> str:
    found = [{"uri": guest.uri, "uuid": guest.uuid, **asdict(entry)} for guest, entry in entries]
    return json.dumps(found)
