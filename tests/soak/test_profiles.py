"""A thousand random hosts with profiles: each plan is that of the profile, and of no other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from guestctl.decisions.plan import plan_down
from guestctl.decisions.policy import resolve
from guestctl.decisions.profiles import under
from guestctl.model.guest import GuestFacts, GuestId
from guestctl.model.plan import GuestPlan, RunKind
from tests.quick import blocks, one_in, seeds_of
from tests.sim.behaviour import uuid_of
from tests.sim.scenario import Script

from .generate import story
from .pool import scenario_text
from .profile_promises import misjudged
from .profiles import ONE_IN, known_names

HOSTS = 1000


def _story(number: int) -> Script:
    return story(number * ONE_IN + 1)


def _planned(script: Script, profile: str) -> list[GuestPlan]:
    """As a preserve begins under this profile."""
    config = under(script.config, profile)
    return list(plan_down(RunKind.PRESERVE, _facts(script), partial(resolve, config)).guests)


def _facts(script: Script) -> Iterator[GuestFacts]:
    for guest in script.guests:
        id = GuestId(guest.uri, uuid_of(guest.name))
        yield GuestFacts(id, guest.name, guest.state, persistent=guest.persistent, info=guest.info)


def _wrong(script: Script, planned_by: str, judged_by: str) -> Iterator[str]:
    for plan in _planned(script, planned_by):
        yield from misjudged(script.config, judged_by, RunKind.PRESERVE, plan)


@pytest.mark.parametrize("block", one_in(10, blocks(HOSTS, 100)), ids=seeds_of)
def test_each_plan_is_that_of_its_profile(block: range) -> None:
    for number in block:
        script = _story(number)
        for profile in ("", *known_names(script.config)):
            wrong = list(_wrong(script, profile, profile))
            assert not wrong, f"{wrong} of host {number}\n\n{scenario_text(script)}"


def test_a_plan_of_another_profile_is_told() -> None:
    """That is, the one above would see it."""
    told = [number for number in range(40) if any(_wrong(_story(number), "reboot", "poweroff"))]
    assert len(told) >= 10
