"""Every folder of tests/scenarios: facts, configuration and events, and the story they lead to.

facts.toml holds guests and how they behave, config.toml is guestctl's own configuration,
events.txt says why the scenario is told, what is commanded and what happens, must.txt what has
to come of it, and story.txt what does.  docs/dev/scenarios.md has the words of each.

UPDATE=1 rewrites story.txt to what guestctl does now: read the difference before you keep it.
must.txt is written by hand, and never rewritten: it is what a wrong story cannot slip past.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from .sim.events import reason_of
from .sim.must import broken_promises, conditions, unmet
from .sim.rendering import story_text
from .sim.scenario import FOLDERS, ROOT, Story, run_scenario

FILES = {"config.toml", "events.txt", "facts.toml", "must.txt", "story.txt"}
SENTENCE = re.compile(r"[A-Z].*\w\.")

_each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(ROOT)))


@cache
def story_of(folder: Path) -> Story:
    """The scenario's story, told once."""
    return run_scenario(folder)


def reason_for(folder: Path) -> str:
    """Why the scenario is told."""
    return reason_of((folder / "events.txt").read_text())


@_each
def test_keeps_the_promises(folder: Path) -> None:
    assert broken_promises(story_of(folder)) == []


@_each
def test_meets_its_must(folder: Path) -> None:
    text = (folder / "must.txt").read_text()
    assert conditions(text), "must.txt asks for nothing"
    assert unmet(story_of(folder), text) == []


@_each
def test_goes_as_recorded(folder: Path) -> None:
    text = story_text(story_of(folder))
    if os.environ.get("UPDATE") == "1":
        assert (folder / "must.txt").exists(), "what has to come of it is to be written first"
        (folder / "story.txt").write_text(text)
    assert text == (folder / "story.txt").read_text()


@_each
def test_has_its_files_and_no_others(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES


@_each
def test_says_why_it_is_told(folder: Path) -> None:
    why = reason_for(folder)
    assert SENTENCE.fullmatch(why), f"events.txt begins with no sentence of why: {why!r}"
    assert len(why.split()) >= 5


def test_each_has_a_reason_of_its_own() -> None:
    counts = Counter(map(reason_for, FOLDERS))
    assert [why for why, count in counts.items() if count > 1] == []


def test_every_folder_is_run() -> None:
    found = {path for path in ROOT.glob("*/*") if path.is_dir()}
    assert found == set(FOLDERS)
    assert [path for path in ROOT.iterdir() if not path.is_dir()] == []
