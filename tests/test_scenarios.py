"""Every folder of tests/scenarios: facts, configuration and events, to plan, trail and outcome.

facts.toml holds guests and how they behave (tests/sim/behaviour.py has the vocabulary),
config.toml is guestctl's own configuration, events.txt what is commanded and what happens
(tests/sim/events.py), must.txt what has to come of it (tests/sim/must.py).

UPDATE=1 rewrites plan.txt, trail.txt and outcome.txt to what guestctl does now: read the
difference before you keep it.  must.txt is written by hand, and never rewritten: it is
what a wrong plan, trail or outcome cannot slip past.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from .sim.must import broken_promises, unmet
from .sim.rendering import outcome_text, plan_text, trail_text
from .sim.scenario import Story, run_scenario

SCENARIOS = sorted(
    path.parent for path in (Path(__file__).parent / "scenarios").glob("*/*/facts.toml")
)
RENDERINGS = {"plan.txt": plan_text, "trail.txt": trail_text, "outcome.txt": outcome_text}

_each = pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: str(folder.name))


@cache
def story_of(folder: Path) -> Story:
    """The scenario's story, told once."""
    return run_scenario(folder)


@_each
def test_keeps_the_promises(folder: Path) -> None:
    assert broken_promises(story_of(folder)) == []


@_each
def test_meets_its_must(folder: Path) -> None:
    assert unmet(story_of(folder), (folder / "must.txt").read_text()) == []


@_each
@pytest.mark.parametrize("name", RENDERINGS)
def test_goes_as_recorded(folder: Path, name: str) -> None:
    text = RENDERINGS[name](story_of(folder))
    if os.environ.get("UPDATE") == "1":
        (folder / name).write_text(text)
    assert text == (folder / name).read_text()
