"""A run cut off anywhere is picked up by the next: nothing is lost, and nothing done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.quick import one_in, only
from tests.sim.scenario import FOLDERS, Script, read_script

from .checker import BrokenPromise, check
from .killed import AT_EVERY_POINT, ENDINGS, HOSTS, Host, cut_off, every_change, every_point
from .pool import run_story, scenario_text

#: What most hosts do, and one whose user was quicker.
QUICK = ("saved",)


@pytest.mark.parametrize("host", only(QUICK, HOSTS))
def test_cut_off_at_any_point(host: Host) -> None:
    _all_is_well(_cut_off_anywhere(host), partial(_problem, host.up))


def _cut_off_anywhere(host: Host) -> Iterator[Script]:
    """The host's last command, cut off in every way at each of its points."""
    last = len(host.script.turns) - 1
    for ending in ENDINGS:
        points = every_point if ending in AT_EVERY_POINT else every_change
        for turn, point in points(host.script):
            if turn == last:
                yield cut_off(host.script, turn, point, ending)


def _problem(up: str, script: Script) -> str:
    """Whoever ran, and was not turned off by anybody, is up again, or held with a reason."""
    try:
        story = check(script)
    except BrokenPromise as broken:
        return str(broken)
    held = {guest for guest, record in story.records.items() if record.hold is not None}
    lost = [f.name for f in story.facts if f.name in up and not (f.up or f.id in held)]
    return f"lost: {', '.join(lost)}" if lost else ""


@pytest.mark.parametrize("folder", one_in(60, FOLDERS), ids=lambda folder: folder.name)
def test_every_scenario_killed_wherever_it_changes_something(folder: Path) -> None:
    _all_is_well(_killed_anywhere(folder), run_story)


def _killed_anywhere(folder: Path) -> Iterator[Script]:
    script = read_script(folder)
    for turn, point in every_change(script):
        yield cut_off(script, turn, point, "killed, then start")


def _all_is_well(scripts: Iterable[Script], judge: Callable[[Script], str]) -> None:
    judged = [(script, judge(script)) for script in scripts]
    failed = [f"{problem}\n\n{scenario_text(script)}" for script, problem in judged if problem]
    assert not failed, f"{len(failed)} of {len(judged)} fail\n\n{failed[0]}"
