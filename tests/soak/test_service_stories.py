"""A thousand random stories of the service."""

from __future__ import annotations

import pytest

from tests.quick import blocks, one_in, seeds_of

from .service_stories import what_is_wrong

SEEDS = 1_000
#: Stories that were wrong once.
TOLD_BEFORE = (1502, 3820, 3970, 4462, 6472)


@pytest.mark.parametrize("block", one_in(40, blocks(SEEDS, 25)), ids=seeds_of)
def test_a_thousand_seeds(block: range) -> None:
    failures = [text for seed in block if (text := what_is_wrong(seed))]
    assert not failures, f"{len(failures)} of {len(block)} fail\n\n" + "\n\n".join(failures[:3])


@pytest.mark.thorough
@pytest.mark.parametrize("seed", TOLD_BEFORE)
def test_stories_that_were_wrong(seed: int) -> None:
    assert not what_is_wrong(seed)
