"""A run cut off anywhere is picked up by the next: nothing is lost, and nothing done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.scenario import Script, read_script

from .checker import BrokenPromise, check
from .killed import AT_EVERY_POINT, ENDINGS, HOSTS, Host, cut_off, every_change, every_point
from .pool import run_all, scenario_text

SCENARIOS = sorted(p for p in (Path(__file__).parents[1] / "scenarios").iterdir() if p.is_dir())


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_cut_off_at_any_point(host: Host) -> None:
    for script in _cut_off_anywhere(host):
        _check(host, script)


def _cut_off_anywhere(host: Host) -> Iterator[Script]:
    """The host's last command, cut off in every way at each of its points."""
    last = len(host.script.turns) - 1
    for ending in ENDINGS:
        points = every_point if ending in AT_EVERY_POINT else every_change
        for turn, point in points(host.script):
            if turn == last:
                yield cut_off(host.script, turn, point, ending)


def _check(host: Host, script: Script) -> None:
    """Whoever ran, and was not turned off by anybody, is up again, or held with a reason."""
    try:
        story = check(script)
    except BrokenPromise as broken:
        raise AssertionError(f"{broken}\n\n{scenario_text(script)}") from None
    for facts in story.facts:
        known = story.known.get(facts.id)
        held = known is not None and known.hold is not None
        if facts.name in host.up:
            assert facts.up or held, f"{facts.name} is lost\n\n{scenario_text(script)}"


def test_every_scenario_killed_wherever_it_changes_something() -> None:
    scripts = [script for folder in SCENARIOS for script in _killed_anywhere(folder)]
    problems = [
        f"{problem}\n\n{scenario_text(script)}"
        for script, problem in run_all(scripts, processes=2)
        if problem
    ]
    assert not problems, f"{len(problems)} of {len(scripts)} fail\n\n{problems[0]}"


def _killed_anywhere(folder: Path) -> Iterator[Script]:
    script = read_script(folder)
    for turn, point in every_change(script):
        yield cut_off(script, turn, point, "killed, then start")
