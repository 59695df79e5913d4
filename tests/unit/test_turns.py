"""Turns: nobody's comes before everybody ahead is through, and everybody's comes."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.settings import Order
from guestctl.decisions.graph import Node
from guestctl.decisions.sequence import sequence_of
from guestctl.model.guest import GuestId
from guestctl.runs.turns import Turns
from tests.unit.makers import guest, guest_id

A, B, C = guest_id(1), guest_id(2), guest_id(3)
CHAIN: dict[Node, frozenset[Node]] = {
    A: frozenset(),
    B: frozenset({A}),
    C: frozenset({B}),
}


def test_a_chain_is_gone_through_in_its_order() -> None:
    seen: list[GuestId] = []

    async def one(turns: Turns, own: GuestId) -> None:
        await turns.wait(own)
        await asyncio.sleep(0)
        seen.append(own)
        turns.is_through(own)

    async def all_of_them() -> None:
        turns = Turns(CHAIN)
        await asyncio.gather(*(one(turns, own) for own in (C, B, A)))

    asyncio.run(all_of_them())
    assert seen == [A, B, C]


def test_who_waits_in_vain_is_told_for_whom() -> None:
    async def wait() -> frozenset[GuestId]:
        graph: dict[Node, frozenset[Node]] = {
            1: frozenset({A, B}),
            **dict.fromkeys((A, B), frozenset[Node]()),
        }
        turns = Turns({**graph, C: frozenset({1})}, {C: asyncio.get_running_loop().time()})
        turns.is_through(A)
        turns.is_through(A)
        return await turns.wait(C)

    assert asyncio.run(wait()) == {B}


def test_one_that_the_order_does_not_know_waits_for_nobody() -> None:
    async def wait() -> frozenset[GuestId]:
        turns = Turns(CHAIN)
        turns.is_through(guest_id(9))
        return await turns.wait(guest_id(9))

    assert asyncio.run(wait()) == frozenset()


wishes = st.builds(
    Order,
    after=st.lists(st.sampled_from(["g1", "g2", "g5", "g*"]), max_size=2).map(tuple),
    order=st.none() | st.integers(0, 3),
)


@given(st.lists(wishes, max_size=7))
def test_everybodys_turn_comes_and_none_too_early(wished: list[Order]) -> None:
    guests = [guest(f"g{n}", n) for n in range(1, len(wished) + 1)]
    order = sequence_of(guests, dict(zip((one.id for one in guests), wished, strict=True)))
    through: set[Node] = set()

    async def one(turns: Turns, own: GuestId) -> None:
        await turns.wait(own)
        assert order.wished(own) <= through
        through.add(own)
        turns.is_through(own)

    async def all_of_them() -> None:
        turns = Turns(order.waits_for)
        async with asyncio.timeout(5):
            await asyncio.gather(*(one(turns, g.id) for g in guests))

    asyncio.run(all_of_them())
    assert len(through) == len(guests)
