"""A guest that is back paused: what is said, and whether it is let run."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from guestctl.model.guest import GuestFacts, State
from guestctl.model.ports import ErrorKind, Hypervisor, HypervisorError
from guestctl.runs.live_guest import LiveGuest
from guestctl.runs.resumed_paused import IO_ERROR, PROBATION, see_to_pause
from guestctl.runs.run import Run
from tests.sim.loop import run
from tests.unit.makers import guest

PAUSED = guest(state=State.PAUSED, reason="from snapshot")
AGAIN = guest(state=State.PAUSED, reason=IO_ERROR)


class Disk:
    """The guest's hypervisor: it runs once it is let, as long as its disk does."""

    def __init__(self, fails_after: float | None = None, error: HypervisorError | None = None):
        self.facts = PAUSED
        self._fails_after, self._error = fails_after, error

    async def observe(self, _uuid: str) -> GuestFacts:
        return self.facts

    async def unpause(self, _uuid: str) -> None:
        if self._error:
            raise self._error
        self._set(guest())
        if self._fails_after is not None:
            asyncio.get_running_loop().call_later(self._fails_after, self._set, AGAIN)

    def _set(self, facts: GuestFacts) -> None:
        self.facts = facts


class Trail:
    """The run, as far as it is told something."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def remark(self, _guest: GuestFacts, text: str) -> None:
        self.said.append(text)


def said(facts: GuestFacts, was_paused: str, disk: Disk) -> tuple[list[str], State]:
    trail = Trail()

    async def main() -> None:
        live = LiveGuest(facts, cast(Hypervisor, disk))
        await see_to_pause(cast(Run, trail), live, was_paused)

    run(main())
    return trail.said, disk.facts.state


def test_one_that_runs_is_left_alone() -> None:
    assert said(guest(), IO_ERROR, Disk())[0] == []


@pytest.mark.parametrize(("was_paused", "more"), [("user", " (user)"), ("", "")])
def test_one_that_somebody_paused_stays_so(was_paused: str, more: str) -> None:
    text = f"it is paused, as when it was saved{more}"
    assert said(PAUSED, was_paused, Disk()) == ([text], State.PAUSED)


def test_one_whose_disk_works_again_runs() -> None:
    (text,), state = said(PAUSED, IO_ERROR, Disk())
    assert text.endswith(": it runs again")
    assert state is State.RUNNING


def test_one_whose_disk_fails_again_is_said_to_be_paused() -> None:
    (text,), state = said(PAUSED, IO_ERROR, Disk(fails_after=PROBATION / 2))
    assert "and is again: mend its storage, then `virsh resume`" in text
    assert state is State.PAUSED


def test_one_that_cannot_be_let_run_is_said_to_be_paused() -> None:
    error: Any = HypervisorError(ErrorKind.FAILED, "no lock")
    (text,), _ = said(PAUSED, IO_ERROR, Disk(error=error))
    assert text.endswith("and cannot be let run: no lock")
