"""A fault of guestctl's own with one guest ends that guest's part of a run, and no other's."""

from __future__ import annotations

import pytest

from guestctl.config.config import Config
from guestctl.model.guest import Door, Outcome, RunKind, RunResult, State
from guestctl.runs.bring_up import Ascent
from guestctl.runs.context import read_all
from guestctl.runs.preserve import preserve
from guestctl.runs.restore import restore
from guestctl.runs.take_down import Ladder
from tests.sim.behaviour import GuestSpec
from tests.sim.loop import run
from tests.sim.world import SimHost

NAMES = ("a", "b", "c")
FAULTS = [KeyError("a bug"), RuntimeError("a bug"), AssertionError("a bug"), OSError("a bug")]


@pytest.fixture(params=FAULTS, ids=repr)
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second guest that is taken down, or brought up, meets a bug."""
    prepare = Ladder._prepare
    prepare_up = Ascent.prepare

    async def down(ladder: Ladder) -> None:
        if ladder._guest.name == "b":
            raise request.param
        await prepare(ladder)

    async def up(ascent: Ascent) -> bool:
        if ascent._guest.name == "b":
            raise request.param
        return await prepare_up(ascent)

    monkeypatch.setattr(Ladder, "_prepare", down)
    monkeypatch.setattr(Ascent, "prepare", up)


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
            seen = await read_all(process.connections)
            door = Door.HOST_STOP
            result = await preserve(process.world, Config(), RunKind.PRESERVE, door, seen)
            _check(result, Outcome.SAVED)

    run(main())


@pytest.mark.usefixtures("fault")
def test_the_others_are_brought_back() -> None:
    async def main() -> None:
        specs = [GuestSpec(n, state=State.SHUT_OFF, autostart=True) for n in NAMES]
        with SimHost(specs) as host:
            process = host.process()
            seen = await read_all(process.connections)
            named = frozenset(guest.id for guest in seen.guests)
            result = await restore(process.world, Config(), Door.COMMAND, seen, named)
            _check(result, Outcome.STARTED)

    run(main())
