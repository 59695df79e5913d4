"""A call that grows with the number of guests is made once for all who ask at about one time."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.host.libvirt import hypervisor
from guestctl.host.libvirt.hypervisor import LibvirtHypervisor
from guestctl.host.libvirt.reading import with_save
from guestctl.host.libvirt.sharing import LONGEST_PAUSE, PATIENCE, PAUSE, Shared
from tests.sim import loop
from tests.unit.running import run_async


class Call:
    """Takes a second, or for ever, and tells when it began."""

    def __init__(self, takes: float = 1.0) -> None:
        self.takes, self.begun = takes, list[float]()

    async def __call__(self) -> float:
        now = asyncio.get_running_loop().time()
        self.begun.append(now)
        await asyncio.sleep(self.takes)
        return now


def test_who_asks_while_one_is_under_way_shares_the_next() -> None:
    async def ask() -> list[float]:
        shared = Shared(call := Call(0.5))
        first = asyncio.create_task(shared())
        await asyncio.sleep(0.1)
        further = [asyncio.create_task(shared()) for _ in range(100)]
        answers = [await one for one in (first, *further)]
        assert answers[1:] == [call.begun[1]] * 100
        return call.begun

    first, second = loop.run(ask())
    assert second - first == pytest.approx(0.5 + LONGEST_PAUSE)


def test_one_after_another_it_takes_but_a_part_of_the_time() -> None:
    async def ask() -> list[float]:
        shared = Shared(call := Call(0.002))
        for _ in range(10):
            await shared()
        return call.begun

    begun = loop.run(ask())
    assert len(begun) == 10
    assert begun[-1] - begun[0] == pytest.approx(9 * 0.002 * (1 + PAUSE))


def test_one_that_hangs_keeps_the_next_for_a_second() -> None:
    async def ask() -> list[float]:
        shared = Shared(call := Call(60.0))
        first = asyncio.create_task(shared())
        await asyncio.sleep(0.1)
        call.takes = 0.1
        assert await shared() == call.begun[1]
        assert await first == call.begun[0]
        return call.begun

    first, second = loop.run(ask())
    assert second - first == pytest.approx(0.1 + PATIENCE)


def test_where_one_gives_up_the_next_that_waits_begins_anew() -> None:
    async def ask() -> tuple[float, float]:
        shared = Shared(call := Call())
        impatient, patient = asyncio.create_task(shared()), asyncio.create_task(shared())
        await asyncio.sleep(0.5)
        impatient.cancel()
        return await patient, call.begun[1]

    answer, begun = loop.run(ask())
    assert answer == begun


def test_an_error_is_no_answer_for_the_next() -> None:
    failing = True

    async def call() -> int:
        await asyncio.sleep(0.1)
        if failing:
            raise OSError("gone")
        return 1

    async def ask() -> int:
        nonlocal failing
        shared = Shared(call)
        answers = await asyncio.gather(shared(), shared(), return_exceptions=True)
        assert [str(answer) for answer in answers] == ["gone", "gone"]
        failing = False
        return await shared()

    assert loop.run(ask()) == 1


def test_a_hundred_guests_read_at_one_time_take_few_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest of libvirt's test driver, a hundred times."""
    lists = 0

    def counted(conn: object) -> frozenset[str]:
        nonlocal lists
        lists += 1
        return with_save(conn)

    async def read() -> None:
        of_libvirt = LibvirtHypervisor("test:///default")
        (guest,) = await of_libvirt.guests()
        found = await asyncio.gather(*(of_libvirt.observe(guest.id.uuid) for _ in range(100)))
        assert found == [guest] * 100
        await of_libvirt.close()

    monkeypatch.setattr(hypervisor, "with_save", counted)
    run_async(read())
    assert 0 < lists < 25
