"""A fault of guestctl's own with one guest ends that guest's part of a run, and no other's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.model.guest import State
from guestctl.model.options import SaveDecision
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.result import RunResult, Trigger
from guestctl.runs.context import read_all
from guestctl.runs.preserve import preserve
from guestctl.runs.restore import restore
from guestctl.runs.saved_guest import End, SavedGuest
from guestctl.runs.take_down import TakeDown
from tests.sim.behaviour import Behaviour, GuestSpec, Save
from tests.sim.events import happen
from tests.sim.loop import run
from tests.sim.world import SimHost

NAMES = ("a", "b", "c")
FAULTS = [KeyError("a bug"), RuntimeError("a bug"), AssertionError("a bug"), OSError("a bug")]


@pytest.fixture(params=FAULTS, ids=repr)
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second guest that is taken down, or brought up, meets a bug."""
    make_ready, prepare = TakeDown._make_ready, SavedGuest.prepare

    async def down(take_down: TakeDown) -> None:
        if take_down._guest.name == "b":
            raise request.param
        await make_ready(take_down)

    async def up(saved: SavedGuest, decision: SaveDecision | None) -> End | None:
        if saved.plan.guest.name == "b":
            raise request.param
        return await prepare(saved, decision)

    monkeypatch.setattr(TakeDown, "_make_ready", down)
    monkeypatch.setattr(SavedGuest, "prepare", up)


def _outcomes(result: RunResult) -> dict[str, Outcome]:
    return {guest.name: guest.outcome for guest in result.guests}


def _check(result: RunResult, well: Outcome) -> None:
    assert _outcomes(result) == {"a": well, "b": Outcome.FAILED, "c": well}
    assert (result.ok, result.interrupted) == (False, False)
    (reason,) = (guest.reason for guest in result.guests if guest.name == "b")
    assert reason.startswith("internal error: ")
    assert "a bug" in reason


@pytest.mark.usefixtures("fault")
def test_the_others_are_taken_to_safety() -> None:
    async def main() -> None:
        with SimHost([GuestSpec(name) for name in NAMES]) as host:
            process = host.process()
            inventory = await read_all(process.connections)
            trigger = Trigger.HOST_STOP
            result = await preserve(process.context, Config(), RunKind.PRESERVE, trigger, inventory)
            _check(result, Outcome.SAVED)

    run(main())


@pytest.mark.usefixtures("fault")
def test_the_others_are_brought_back() -> None:
    async def main() -> None:
        specs = [GuestSpec(n, state=State.SHUT_OFF, autostart=True) for n in NAMES]
        with SimHost(specs) as host:
            process = host.process()
            inventory = await read_all(process.connections)
            named = frozenset(guest.id for guest in inventory.guests)
            result = await restore(process.context, Config(), Trigger.COMMAND, inventory, named)
            _check(result, Outcome.STARTED)

    run(main())


def test_a_fault_with_a_guest_that_turns_up_does_not_end_the_others() -> None:
    """It is found once more by the look after them."""

    async def main() -> None:
        slow = Behaviour(save=Save(60.0))
        specs = [GuestSpec("a", behaviour=slow), GuestSpec("b", state=State.SHUT_OFF)]
        with SimHost(specs) as host:
            process = host.process()
            (connection,) = process.connections.values()
            real, errors = connection.domain_info, iter([None, RuntimeError("a bug")])

            async def domain_info(uuids: Any) -> Any:
                if error := next(errors, None):
                    raise error
                return await real(uuids)

            connection.domain_info = domain_info  # type: ignore[method-assign]
            inventory = await read_all(process.context.hypervisors)
            kind, trigger = RunKind.PRESERVE, Trigger.COMMAND
            task = asyncio.create_task(
                preserve(process.context, Config(), kind, trigger, inventory)
            )
            await asyncio.sleep(10)
            happen(host, "b is started")
            result = await task
            assert _outcomes(result) == {"a": Outcome.SAVED, "b": Outcome.SAVED}
            ((_, trouble),) = process.report.troubles
            assert "a bug" in trouble

    run(main())
