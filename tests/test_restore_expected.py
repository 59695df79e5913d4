"""What a restore tells as it begins of how long it will take: learned from those before."""

from __future__ import annotations

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.model.readiness import HasAddress
from guestctl.model.report import RunBegan

from .served import guest
from .sim.behaviour import Start
from .sim.service import ServedHost, tell


def expected(host: ServedHost) -> float | None:
    """What the newest run told."""
    told = [event for _, event in host.life.process.report.events]
    return [event for event in told if isinstance(event, RunBegan)][-1].expected


def test_a_restore_knows_how_long_starts_and_readiness_took() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(60)
        for known in (False, True):
            host.cut_power()
            await host.serve(60)
            assert (expected(host) is not None) is known
        (step,) = host.sim.ledger.runs.starts()[-2:-1]
        assert step.ready == pytest.approx(8.0, abs=2.5)
        assert expected(host) == pytest.approx(3 + 8 + 3, abs=3)

    own = (
        GuestOverride("a", {"ready": (HasAddress(),)}),
        GuestOverride("b", {"after": ("a",)}),
    )
    a = guest("a", address=8.0, start=Start(3.0))
    tell(story, [a, guest("b", start=Start(3.0))], Config(guests=own))
