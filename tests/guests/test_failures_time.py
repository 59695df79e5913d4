"""No time left, a QEMU that does not answer, and saves that take longer than a connection lives."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Guestctl
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import NEVER_DONE, outcomes, signal_qemu, up
from .support import (
    by_name,
    cleared,
    fresh,
    last_tick,
    next_tick,
    override,
    said_bye,
    steps,
    went_on,
)

pytestmark = pytest.mark.guests

OBEYS = GuestSpec("obeys")
IGNORES = GuestSpec("ignores", button="ignore")
TAKES_A_MINUTE = GuestSpec("takes a minute", button="slow:60")
SPECS = (OBEYS, IGNORES, TAKES_A_MINUTE)
MANY = [GuestSpec(f"guest {n}") for n in range(1, 9)]
FROZEN = GuestSpec("frozen")
IMPATIENT = override(FROZEN.name, 'save-timeout = "3s"', 'shutdown-timeout = "3s"')

WITHIN = 40.0
#: What a run may take beyond its time: reading, recording, the start of Python on a busy machine.
TOLERANCE = 10.0
#: Bytes a second: a save takes some 10 s, which is more than its share of 12 s.
MORE_THAN_THERE_IS, TOO_SHORT = 8_000_000, 12.0
#: Bytes a second: a save takes some 43 s.
LONGER_THAN_A_CONNECTION = 1_800_000
LONG = 40.0


@pytest.fixture(scope="module")
def guests(slow: SessionDaemon) -> Iterator[SessionDaemon]:
    """Three of them, running."""
    with cleared(slow):
        slow.set_save_rate(0)
        slow.start_all(list(SPECS))
        yield slow


def timed(guestctl: Guestctl, *arguments: str) -> tuple[Any, float]:
    """What `shutdown --preserve` printed, and the seconds it took."""
    begun = time.monotonic()
    result = guestctl.json("shutdown", "--preserve", *arguments)
    return result, time.monotonic() - begun


def test_within_less_than_they_need(guests: SessionDaemon, slow_guestctl: Guestctl) -> None:
    """Each step is cut short for the next, and poweroff comes before the end."""
    up(guests, *SPECS)
    guests.set_save_rate(NEVER_DONE)
    result, seconds = timed(slow_guestctl, "--within", f"{WITHIN:g}s")
    found = by_name(result)
    assert seconds < WITHIN + TOLERANCE
    assert {guests.state(spec.name) for spec in SPECS} == {"shut off"}
    assert outcomes(result) == {
        OBEYS.name: "shut-down",
        IGNORES.name: "powered-off",
        TAKES_A_MINUTE.name: "powered-off",
    }
    assert said_bye(guests, OBEYS.name)
    for guest in found.values():
        assert steps(guest)["save"] == "timed out"
        assert "save: not saved within" in guest["reason"]
    assert "shutdown: still up after" in found[IGNORES.name]["reason"]
    assert not list(guests.folder.rglob("*.save"))
    assert set(outcomes(slow_guestctl.json("start")).values()) == {"started"}


def test_save_that_took_longer_is_left_out(guests: SessionDaemon, slow_guestctl: Guestctl) -> None:
    """An earlier save of the guest says how long this one will take."""
    up(guests, OBEYS)
    guests.set_save_rate(MORE_THAN_THERE_IS)
    saved, took = timed(slow_guestctl, OBEYS.name)
    assert outcomes(saved) == {OBEYS.name: "saved"}
    (save,) = by_name(saved)[OBEYS.name]["steps"]
    slow_guestctl.run("start")
    next_tick(guests, OBEYS.name)
    planned = by_name(slow_guestctl.json("plan"))[OBEYS.name]["steps"][0]
    assert planned["step"] == "save"
    assert planned["estimate"] == pytest.approx(save["seconds"], abs=1)
    result, seconds = timed(slow_guestctl, "--within", f"{TOO_SHORT:g}s", OBEYS.name)
    guest = by_name(result)[OBEYS.name]
    assert guest["outcome"] == "shut-down"
    assert steps(guest) == {"save": "left out", "shutdown": "done"}
    assert "it takes about" in guest["steps"][0]["reason"]
    assert guest["steps"][0]["seconds"] < 1
    assert seconds < took


# -- one run of many -------------------------------------------------------------------------


@dataclass(frozen=True)
class LongRun:
    """A preserve of eight guests whose saves take long, and of one whose QEMU is frozen."""

    guestctl: Guestctl
    ticks: dict[str, Tick]
    done: subprocess.CompletedProcess[str]
    steps: list[Any]


@pytest.fixture(scope="module")
def long_run(slow: SessionDaemon) -> Iterator[LongRun]:
    """All at once."""
    with cleared(slow):
        guestctl = fresh(slow, IMPATIENT)
        slow.set_save_rate(0)
        slow.start_all([*MANY, FROZEN])
        ticks = {spec.name: last_tick(slow, spec.name) for spec in MANY}
        signal_qemu(slow, FROZEN.name, signal.SIGSTOP)
        slow.set_save_rate(LONGER_THAN_A_CONNECTION)
        done = guestctl.run("shutdown", "--preserve")
        slow.set_save_rate(0)
        yield LongRun(guestctl, ticks, done, guestctl.json("history")[0]["steps"])


def seconds_of(step: Any) -> float:
    """How long a step of the ledger took."""
    return float(step["ended"] - step["begun"]) / 1e9


def test_long_saves_are_all_done(long_run: LongRun) -> None:
    """A fifth call on one connection would have libvirtd drop it, with all its calls, at 30 s."""
    assert "trying again" not in long_run.done.stderr, "a connection was dropped"
    saves = [step for step in long_run.steps if step["name"] in long_run.ticks]
    assert {step["name"] for step in saves} == set(long_run.ticks)
    assert {(step["step"], step["end"]) for step in saves} == {("save", "done")}
    assert min(map(seconds_of, saves)) > LONG


def test_frozen_qemu_is_powered_off_in_bounded_time(long_run: LongRun) -> None:
    """Neither its save nor a request gets through to it; the others' saves go on meanwhile."""
    steps = [step for step in long_run.steps if step["name"] == FROZEN.name]
    assert [step["step"] for step in steps] == ["save", "shutdown", "poweroff"]
    assert [step["end"] for step in steps][-1] == "done"
    assert {step["end"] for step in steps[:-1]} <= {"failed", "timed out"}
    assert sum(map(seconds_of, steps)) < 60
    assert f"{FROZEN.name}: powered-off after" in long_run.done.stdout


def test_all_of_them_come_back(slow: SessionDaemon, long_run: LongRun) -> None:
    ups = outcomes(long_run.guestctl.json("start"))
    assert ups == {**dict.fromkeys(long_run.ticks, "resumed"), FROZEN.name: "started"}
    for name, tick in long_run.ticks.items():
        assert went_on(slow, name, tick)
