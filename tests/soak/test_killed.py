"""A run cut off anywhere is picked up by the next: nothing is lost, and nothing done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.scenario import Script, Story, read_script

from .checker import BrokenPromise, check
from .killed import ENDINGS, HOSTS, Host, cut_off, every_point
from .pool import run_story, scenario_text

SCENARIOS = sorted(p for p in (Path(__file__).parents[1] / "scenarios").iterdir() if p.is_dir())


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_cut_off_at_any_point(host: Host, ending: str) -> None:
    last = len(host.script.turns) - 1
    for turn, point in every_point(host.script, reads=True):
        if turn == last:
            script = cut_off(host.script, turn, point, ending)
            _check_end(host, script, _story(script))


def _story(script: Script) -> Story:
    try:
        return check(script)
    except BrokenPromise as broken:
        raise AssertionError(f"{broken}\n\n{scenario_text(script)}") from None


def _check_end(host: Host, script: Script, story: Story) -> None:
    """Whoever ran, and was not turned off by anybody, is up again, or held with a reason."""
    for facts in story.facts:
        known = story.known.get(facts.id)
        held = known is not None and known.hold is not None
        if facts.name in host.up:
            assert facts.up or held, f"{facts.name} is lost\n\n{scenario_text(script)}"


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: str(folder.name))
def test_every_scenario_killed_wherever_it_changes_something(folder: Path) -> None:
    script = read_script(folder)
    for turn, point in every_point(script, reads=False):
        killed = cut_off(script, turn, point, "killed, then start")
        problem = run_story(killed)
        assert not problem, f"{problem}\n\n{scenario_text(killed)}"
