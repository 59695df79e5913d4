"""A thousand random hosts with random orders: an order costs nobody its save or its shutdown."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Order
from guestctl.model.plan import Outcome, Step
from guestctl.model.result import RunResult, StepEnd
from tests.quick import blocks, one_in, seeds_of
from tests.sim.behaviour import GuestSpec
from tests.sim.events import Line, Turn
from tests.sim.scenario import Script, run_script

from .generate import story
from .graphs import ONE_IN
from .pool import scenario_text

HOSTS = 1000
_OF_ORDER = {"after", "requires", "order", "ready", "ready_timeout"}


def without_order(config: Config) -> Config:
    """The same in all else."""
    tables = (
        replace(it, values={key: it.values[key] for key in it.values.keys() - _OF_ORDER})
        for it in config.guests
    )
    return replace(config, guests=tuple(tables), order=Order())


def _result(script: Script) -> RunResult:
    (_, result), *_ = run_script(script, progress=False).runs
    return result


def _names(result: RunResult, *outcomes: Outcome) -> set[str]:
    return {guest.name for guest in result.guests if guest.outcome in outcomes}


def went_wrong(result: RunResult) -> set[Step]:
    """Kinds of steps of which one did not work: there may not have been time for all."""
    steps = (step for guest in result.guests for step in guest.steps)
    return {step.step for step in steps if step.end is not StepEnd.DONE}


def costs(usual: RunResult, ordered: RunResult) -> set[str]:
    """Who is saved without an order, or shut down, and not with it.

    Where there is no time for all even without one, who comes first has it.
    """
    wrong, lost = went_wrong(usual), set[str]()
    if Step.SAVE not in wrong:
        lost |= _names(usual, Outcome.SAVED) - _names(ordered, Outcome.SAVED)
    if not wrong:
        well = (Outcome.SAVED, Outcome.SHUT_DOWN)
        lost |= _names(usual, *well) - _names(ordered, *well)
    return lost


def up_for_long(guest: GuestSpec) -> GuestSpec:
    """Where guests go down one after another: one that still boots does not hear its button, and
    whoever is later in line fares better, which is no merit of having no order (seed 1638)."""
    return replace(guest, booted=inf)


@pytest.mark.parametrize("block", one_in(100, blocks(HOSTS, 10)), ids=seeds_of)
def test_an_order_costs_no_guest_its_save_or_shutdown(block: range) -> None:
    for number in block:
        told = story(number * ONE_IN)
        turns = [Turn(None), Turn(Line(0.0, True, "preserve"))]
        limited = told.config.shutdown.parallel_shutdowns is not None
        guests = list(map(up_for_long, told.guests)) if limited else told.guests
        script = replace(told, guests=guests, turns=turns)
        plain = replace(script, config=without_order(script.config))
        lost = costs(_result(plain), _result(script))
        assert not lost, f"{sorted(lost)} of seed {number * ONE_IN}\n\n{scenario_text(script)}"
