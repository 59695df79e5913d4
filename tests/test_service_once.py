"""No step is done twice for one stop of the host, and a person's deadline binds it."""

from __future__ import annotations

import asyncio

import pytest

from guestctl.config.config import Config, GuestOverride
from guestctl.config.settings import Shutdown
from guestctl.model.options import Scope
from guestctl.model.plan import Outcome
from guestctl.model.result import RunResult

from .served import guest
from .sim.behaviour import IGNORED_BUTTON, Save
from .sim.service import ServedHost, tell

#: Its time limit is all that it gets: 30 s.
SPARED = GuestOverride("spared", {"poweroff": Scope.NONE, "save": Scope.NONE})
CONFIG = Config(shutdown=Shutdown(shutdown_timeout=30.0), guests=(SPARED,))
STUBBORN = guest("spared", button=IGNORED_BUTTON)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("announced", [True, False])
def test_what_did_not_obey_is_asked_once_by_service_and_guard(announced: bool) -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        begun = now()
        if announced:
            host.announce()
            await asyncio.sleep(60)
        await host.stop_units()
        assert now() - begun < (70 if announced else 40)
        assert host.up == "spared"
        asked = host.calls("request_shutdown acpi")
        assert 4 <= len(asked) <= 8
        assert host.said("an earlier run for this stop of the host has done all that it may")

    tell(story, [STUBBORN, guest("obeys")], CONFIG)


def test_what_was_cut_off_is_taken_up_and_what_had_ended_is_left() -> None:
    """The service is killed while one guest is saved, and after another has used up its time."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.stopping = True
        host.life.triggers.terminate()
        await asyncio.sleep(60)
        asked = len(host.calls("request_shutdown acpi"))
        host.kill()
        begun = now()
        result = await host.guard()
        assert isinstance(result, RunResult)
        outcomes = {one.name: one.outcome for one in result.guests}
        assert outcomes == {"spared": Outcome.FAILED, "slow": Outcome.SAVED}
        assert now() - begun < 100
        assert len(host.calls("request_shutdown acpi")) == asked

    tell(story, [STUBBORN, guest("slow", save=Save(120.0))], CONFIG)


def test_a_guest_that_came_up_since_is_taken_down_by_the_guard() -> None:
    async def story(host: ServedHost) -> None:
        await host.serve(5)
        host.stopping = True
        await host.terminate()
        host.happen("obeys is started")
        await asyncio.sleep(5)
        await host.guard()
        assert host.up == "spared"

    tell(story, [STUBBORN, guest("obeys")], CONFIG)


@pytest.mark.parametrize(
    ("left", "seconds"), [(15.0, 20.0), (-5.0, 5.0), (-300.0, 33.0), (1000.0, 33.0)]
)
def test_a_persons_deadline_binds_the_stop_that_follows(left: float, seconds: float) -> None:
    """By `--within`: while it lasts, and just after; not one of minutes ago, nor a longer one."""

    async def story(host: ServedHost) -> None:
        await host.serve(5)
        begun = now()
        host.stop_by = begun + left
        await host.stop_units()
        assert seconds - 6 < now() - begun < seconds

    tell(story, [STUBBORN], CONFIG)
