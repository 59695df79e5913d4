"""A thousand random stories of shedding."""

from __future__ import annotations

import pytest

from tests.quick import blocks, one_in, seeds_of

from .shed_stories import what_is_wrong

SEEDS = 1_000


@pytest.mark.parametrize("block", one_in(40, blocks(SEEDS, 25)), ids=seeds_of)
def test_a_thousand_seeds(block: range) -> None:
    failures = [text for seed in block if (text := what_is_wrong(seed))]
    assert not failures, f"{len(failures)} of {len(block)} fail\n\n" + "\n\n".join(failures[:3])
