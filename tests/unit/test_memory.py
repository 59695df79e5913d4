"""What one run leaves for the next: the ledger and the wishes that are read from it together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest

from guestctl.cli.display import Display
from guestctl.config.config import Config
from guestctl.decisions.attribution import Stop, verdict
from guestctl.decisions.plan import plan_restore
from guestctl.decisions.policy import resolve
from guestctl.decisions.wanted import desired
from guestctl.host.storage import HostStorage
from guestctl.ledger.ledger import Ledger
from guestctl.model.guest import GuestFacts, State
from guestctl.model.plan import RunKind
from guestctl.model.record import Wanted
from guestctl.model.result import RunResult, Trigger
from guestctl.runs.context import Context, Inventory
from guestctl.runs.preserve import preserve
from guestctl.runs.restore import restore
from tests.ledgers import clock, judge, taking_down, want
from tests.unit.makers import BOOT, URI, guest, off
from tests.unit.running import run_async

T = TypeVar("T")
NEXT_BOOT = "boot-after"


class DirectLedger:
    """Does the work at once, in memory."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def __call__(self, work: Callable[[Ledger], T], default: T) -> T:
        return work(self._ledger)


def context(ledger: Ledger, boot: str, hypervisors: Any = None) -> Context:
    """A context without a hypervisor to act on, unless one is given."""
    access = DirectLedger(ledger)
    return Context(cast(Any, hypervisors or {}), HostStorage(), access, Display(), clock(), boot)


def go_down(ledger: Ledger, *guests: GuestFacts) -> RunResult:
    """A preserve of guests none of which is up."""
    looked = Inventory(guests, {})
    return run_async(
        preserve(context(ledger, BOOT), Config(), RunKind.PRESERVE, Trigger.HOST_STOP, looked)
    )


def comes_back(ledger: Ledger, facts: GuestFacts) -> bool:
    """Whether the next boot would start the guest."""
    config = Config()
    policies = lambda one: resolve(config, one)  # noqa: E731 - shorter than a function here
    plan = plan_restore([facts], ledger.guests(), policies, NEXT_BOOT)
    return any(guest_plan.steps for guest_plan in plan.guests)


@pytest.mark.parametrize("reason", ["shutdown", "destroyed"])
def test_a_guest_turned_off_before_the_host_goes_down_stays_off(
    ledger: Ledger, reason: str
) -> None:
    """Nobody watched: it is the last run of this boot that can still tell."""
    ledger.note_up(guest(), BOOT)
    go_down(ledger, off(reason=reason))
    assert not comes_back(ledger, off(reason="unknown"))


def test_a_guest_that_crashed_before_the_host_goes_down_comes_back(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    go_down(ledger, off(reason="crashed"))
    assert comes_back(ledger, off(reason="unknown"))


def test_a_power_cut_loses_no_knowledge(ledger: Ledger) -> None:
    ledger.note_up(guest(), BOOT)
    assert comes_back(ledger, off(reason="unknown"))


@pytest.mark.parametrize("reason", ["saved", "shutdown", "destroyed", "unknown"])
def test_a_guest_whose_first_start_fails_is_still_owed_one(ledger: Ledger, reason: str) -> None:
    """What a restore writes before its start must not look like a stop by somebody else."""
    facts = off(reason=reason, saved=reason == "saved")
    ledger.note_up(guest(), BOOT)
    taking_down(ledger, guest())
    want(ledger, facts, Wanted.ON)
    assert desired(ledger.guests()[facts.id], facts, BOOT).wanted is Wanted.ON


def test_an_operators_start_that_fails_is_not_taken_for_a_stop(ledger: Ledger) -> None:
    facts = off(reason="shutdown")
    ledger.note_up(guest(), BOOT)
    judge(ledger, facts, Wanted.OFF, verdict(Stop("shutdown")))
    want(ledger, facts, Wanted.ON)
    assert desired(ledger.guests()[facts.id], facts, BOOT).wanted is Wanted.ON


def test_a_transient_guest_that_ended_is_not_missed_for_ever(ledger: Ledger) -> None:
    here = context(ledger, BOOT, {URI: None})
    transient = guest(persistent=False)
    run_async(restore(here, Config(), Trigger.COMMAND, Inventory((transient,), {})))
    later = run_async(restore(here, Config(), Trigger.COMMAND, Inventory((), {})))
    assert later.guests == ()


def test_nothing_is_inferred_from_a_state_that_could_not_be_read(ledger: Ledger) -> None:
    here = context(ledger, BOOT, {URI: None})
    ledger.note_up(guest(), BOOT)
    unknown = guest(state=State.UNKNOWN, reason="unknown")
    named_none: frozenset[Any] = frozenset()
    run_async(restore(here, Config(), Trigger.COMMAND, Inventory((unknown,), {}), named_none))
    assert ledger.guests()[unknown.id].wanted is Wanted.ON
    assert ledger.trail.of(unknown.id) == []
