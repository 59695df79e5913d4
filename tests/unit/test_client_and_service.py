"""The command line's client, and the service's own objects: runs of simulated guests."""

from __future__ import annotations

import asyncio
import signal

import pytest

from guestctl.control import bus_acting, following_run
from guestctl.control.bus_acting import Options
from guestctl.control.requests import Detached, Shown
from guestctl.control.service_on_bus import reached
from guestctl.host.bus_server import FIRST_WAIT
from guestctl.host.polkit import ALLOWED, Answer
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.report import Progress, RunBegan, RunEnded, RunEvent, StepBegan
from guestctl.model.result import RunResult
from guestctl.service import bus_export
from tests.served import guest
from tests.sim.behaviour import Save
from tests.unit.private_bus import PrivateBus, until
from tests.unit.running import run_async
from tests.unit.served_bus import on_bus

pytestmark = pytest.mark.thorough

A = [guest("a", save=Save(1.0))]
Call = tuple[str, list[str], Options]
PRESERVE: Call = ("Preserve", [], {})


@pytest.fixture(autouse=True)
def anybody_may(monkeypatch: pytest.MonkeyPatch, bus: PrivateBus) -> None:
    async def may(*_: object, **__: object) -> Answer:
        return ALLOWED

    monkeypatch.setattr(bus_export, "may", may)
    monkeypatch.setattr(bus_export, "may_read", may)
    monkeypatch.setattr(following_run, "_runs", lambda: True)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)


class Shower:
    """A command that shows a run."""

    def __init__(self, call: Call | None) -> None:
        """call: what begins it; None: one that goes on is attached to."""
        self.told: list[RunEvent] = []
        self.said: list[str] = []
        self.task = asyncio.create_task(self._show(call))

    async def _show(self, call: Call | None) -> RunResult | None:
        shown = Shown(self.told.append)
        async with reached() as service:
            if call:
                return await bus_acting.begin_and_follow(service, call, shown, self.said.append)
            if (path := await bus_acting.current_run(service)) is None:
                return None
            return await bus_acting.follow(service, path, shown, self.said.append)

    async def has_begun(self) -> None:
        """Wait until it shows a save."""
        await until(lambda: any(isinstance(event, StepBegan) for event in self.told))


def without_progress(told: list[RunEvent]) -> list[RunEvent]:
    """Of which those who come late have the newest alone."""
    return [event for event in told if not isinstance(event, Progress)]


def test_who_attaches_sees_what_the_first_has_seen(bus: PrivateBus) -> None:
    async def work() -> None:
        async with on_bus(bus, A):
            first = Shower(PRESERVE)
            await first.has_begun()
            second = Shower(None)
            result = await first.task
            assert result
            assert (result.kind, result.ok) == (RunKind.PRESERVE, True)
            assert [one.outcome for one in result.guests] == [Outcome.SAVED]
            assert await second.task == result
            assert without_progress(second.told) == without_progress(first.told)
            assert isinstance(first.told[0], RunBegan)
            assert isinstance(first.told[-1], RunEnded)
            assert await Shower(None).task is None

    run_async(work())


def test_ctrl_c_leaves_it_and_cancel_ends_it(bus: PrivateBus) -> None:
    async def work() -> None:
        async with on_bus(bus, A) as it, reached() as service:
            first = Shower(PRESERVE)
            await first.has_begun()
            first.task.cancel()
            with pytest.raises(Detached, match="the run goes on in the service"):
                await first.task
            path = await bus_acting.current_run(service)
            assert path
            result = await bus_acting.cancel(service, path, Shown(lambda _: None), print)
            assert result.interrupted
            assert it.host.up == "a"
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    run_async(work())


def test_the_bus_is_started_anew_in_mid_run(bus: PrivateBus) -> None:
    async def work() -> None:
        async with on_bus(bus, [guest("a", save=Save(3 * FIRST_WAIT))]):
            shower = Shower(PRESERVE)
            await shower.has_begun()
            bus.kill()
            bus.start()
            result = await shower.task
            assert result
            assert result.ok
            assert shower.said[-1] == "the run is followed again"
            numbers = [event for event in shower.told if isinstance(event, RunBegan | RunEnded)]
            assert len(numbers) == 2

    run_async(work())
