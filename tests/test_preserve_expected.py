"""What a preserve tells as it begins of how long it will take, and that it takes so long."""

from __future__ import annotations

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.model.options import Scope
from guestctl.model.report import RunBegan, RunEnded

from .served import guest
from .sim.behaviour import Button
from .sim.service import ServedHost, tell

NAMES = ("a", "b", "c")
ONE_AT_A_TIME = Shutdown(save=Scope.NONE, parallel_shutdowns=1)


def told_and_taken(host: ServedHost) -> tuple[float | None, float]:
    """What the newest run told, and how long it took."""
    assert host.operators is not None
    events = host.operators.process.report.events
    begun = [(time, event) for time, event in events if isinstance(event, RunBegan)][-1]
    ended = [time for time, event in events if isinstance(event, RunEnded)][-1]
    return begun[1].expected, ended - begun[0]


def test_waiting_for_one_another_counts_in_what_a_preserve_tells() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(60)
        for known in (False, True):
            await host.preserve(*NAMES)
            told, taken = told_and_taken(host)
            assert taken == pytest.approx(24.0, abs=2)
            assert told == (pytest.approx(24.0, abs=2) if known else None)
            await host.boot()

    guests = [guest(name, button=Button(8.0)) for name in NAMES]
    tell(story, guests, Config(shutdown=ONE_AT_A_TIME))
