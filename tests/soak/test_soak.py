"""Ten thousand seeds, and the tools that make, shrink and print their stories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.quick import blocks, one_in, seeds_of
from tests.sim.scenario import Script, read_script
from tests.sim.text import write_script

from .generate import story
from .pool import run_seed
from .shrink import shrink

SEEDS = 10_000


@pytest.mark.parametrize("block", one_in(80, blocks(SEEDS, 125)), ids=seeds_of)
def test_ten_thousand_seeds(block: range) -> None:
    failures = [found for seed in block if (found := run_seed(seed))]
    texts = [f"seed {found.seed}: {found.text}" for found in failures[:3]]
    assert not failures, f"{len(failures)} of {len(block)} seeds fail\n\n" + "\n\n".join(texts)


def test_a_seed_always_tells_the_same_story() -> None:
    assert [story(seed) for seed in range(50)] == [story(seed) for seed in range(50)]
    assert story(1) != story(2)


def test_a_printed_story_can_be_read_again(tmp_path: Path) -> None:
    for seed in range(100):
        folder = tmp_path / str(seed)
        write_script(story(seed), folder)
        assert read_script(folder) == story(seed)


def test_a_story_is_shrunk_to_what_matters() -> None:
    def has_two_boots(script: Script) -> bool:
        deeds = [turn.command.deed for turn in script.turns if turn.command]
        return deeds.count("boot") >= 1 and any(g.name == "b" for g in script.guests)

    seed = next(seed for seed in range(100) if has_two_boots(story(seed)))
    smallest = shrink(story(seed), has_two_boots)
    assert [guest.name for guest in smallest.guests] == ["b"]
    assert [turn.command.deed for turn in smallest.turns if turn.command] == ["boot"]
    assert smallest == replace(smallest, room={})
