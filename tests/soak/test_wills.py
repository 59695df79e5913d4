"""Whatever happens to guests, and in which order: nobody is started against anyone's will."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.quick import one_in

from .wills import DEEDS, Deed, Ending, Plot, Trouble, play

#: So many guests live through one story; not a multiple of what tells them apart.
SIDE_BY_SIDE = 151


def _orders(length: int) -> Iterator[tuple[Deed, ...]]:
    return itertools.product(DEEDS, repeat=length)


def _stories(length: int) -> Iterator[list[tuple[Deed, ...]]]:
    orders = list(_orders(length))
    # Four times, so that each is gone through with the flag and without, and so on.
    everybody = [order for order in orders for _ in range(4)] if length < 3 else orders
    for first in range(0, len(everybody), SIDE_BY_SIDE):
        yield everybody[first : first + SIDE_BY_SIDE]


@pytest.mark.parametrize(
    "plot",
    one_in(
        29,
        [
            Plot(deeds, ending=ending, quiet=quiet)
            for ending, quiet, deeds in itertools.product(Ending, (False, True), _stories(2))
        ],
    ),
)
def test_all_orders_of_two(plot: Plot) -> None:
    assert play(plot) == []


@pytest.mark.thorough
def test_all_orders_of_three() -> None:
    for deeds in _stories(3):
        assert play(Plot(deeds)) == []


plots = st.builds(
    Plot,
    deeds=st.lists(st.lists(st.sampled_from(DEEDS), max_size=7), min_size=1, max_size=12),
    pause=st.sampled_from([0.5, 10.0, 100.0, 400.0]),
    troubles=st.lists(st.sampled_from(Trouble), max_size=7),
    quiet=st.booleans(),
    ending=st.sampled_from(Ending),
)


@pytest.mark.thorough
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plots)
def test_longer_ones_with_trouble(plot: Plot) -> None:
    assert play(plot) == []
