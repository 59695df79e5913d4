"""Guests of every kind in one run, down and up again: each branch of the ladder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Guestctl
from tests.testbed import console
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec, guest_uuid
from tests.testbed.session import SessionDaemon

from .support import (
    by_name,
    cleared,
    fresh,
    last_tick,
    listed,
    next_tick,
    override,
    said_bye,
    trail,
    went_on,
)
from .support import steps as ends

pytestmark = pytest.mark.guests

# The guests have odd names, each another: what is tried on them is tried on the names too.
SAVED = "saved & <sound>"
PAUSED = "paused 100%s %n"
ASLEEP = guest_uuid(SAVED)  # looks like the UUID of another guest
AGENT_SAVED = "agent, saved"
OBEYS = "-obeys"
IGNORES = "ig\"nores' \\n"
SLOW = "pomalý žluťoučký čas ✓"
SECOND = "42"  # looks like libvirt's number of a running guest
PAUSED_OFF = "x" * 200
TRANSIENT = "trans ient"
BY_AGENT = "by agent [a-z]*"
AGENT_DEAD = "agent, dead"
CRASHED = "#crashed"
STUBBORN = "stubborn"

RESUMED = {SAVED, PAUSED, ASLEEP, AGENT_SAVED}
NOT_SAVED = (OBEYS, IGNORES, SLOW, SECOND, PAUSED_OFF, BY_AGENT, AGENT_DEAD, STUBBORN)
#: One boot is enough to see; the others would only take time.
NOT_RESTORED = (IGNORES, SLOW, SECOND, PAUSED_OFF, BY_AGENT, AGENT_DEAD, CRASHED)
#: Enough for a second request; and for all that go down, each as slowly as a busy machine is.
SHUTDOWN_TIMEOUT, OF_THE_OTHERS = 8.0, 30.0

CONFIG = "\n".join(
    [
        f'[shutdown]\nshutdown-timeout = "{OF_THE_OTHERS:g}s"\n',
        *(override(name, 'save = "none"') for name in NOT_SAVED),
        override(BY_AGENT, 'methods = ["agent"]'),
        *(
            override(name, f'shutdown-timeout = "{SHUTDOWN_TIMEOUT:g}s"')
            for name in (IGNORES, STUBBORN)
        ),
        override(STUBBORN, 'poweroff = "none"'),
        *(override(name, "restore = false") for name in NOT_RESTORED),
    ]
)
SPECS = (
    GuestSpec(SAVED),
    GuestSpec(PAUSED),
    GuestSpec(ASLEEP, suspend_after=2),
    GuestSpec(AGENT_SAVED, agent=True),
    GuestSpec(OBEYS),
    GuestSpec(IGNORES, button="ignore"),
    GuestSpec(SLOW, button="slow:3"),
    GuestSpec(SECOND, button="second"),
    GuestSpec(PAUSED_OFF),
    GuestSpec(BY_AGENT, button="ignore", agent=True),
    GuestSpec(AGENT_DEAD, agent=True, kernel_args="gc.agent="),
    GuestSpec(CRASHED, on_crash="preserve"),
    GuestSpec(STUBBORN, button="ignore"),
)


@dataclass(frozen=True)
class Down:
    """What one preserve did to all of them."""

    guestctl: Guestctl
    result: Any
    guests: dict[str, Any]
    ticks: dict[str, Tick]


@dataclass(frozen=True)
class Up:
    """What the `start` after it did."""

    guestctl: Guestctl
    result: Any
    guests: dict[str, Any]
    states: dict[str, str]


@pytest.fixture(scope="module")
def guests(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """All of them, in the states that the tests are about."""
    with cleared(daemon):
        daemon.start_all(list(SPECS))
        daemon.create_transient(GuestSpec(TRANSIENT))
        for name in (PAUSED, PAUSED_OFF):
            daemon.virsh("suspend", daemon.id_of(name))
        daemon.virsh("inject-nmi", daemon.id_of(CRASHED))
        daemon.wait_for_state(CRASHED, "crashed")
        daemon.wait_for_state(ASLEEP, "pmsuspended")
        for name in (AGENT_SAVED, BY_AGENT):
            daemon.wait_for_agent(name)
        yield daemon


@pytest.fixture(scope="module")
def plan(guests: SessionDaemon) -> dict[str, Any]:
    """What `plan` says beforehand."""
    return by_name(fresh(guests, CONFIG).json("plan"))


@pytest.fixture(scope="module")
def down(guests: SessionDaemon, plan: dict[str, Any]) -> Down:
    """One preserve of them all, which one stubborn guest keeps from ending well."""
    guestctl = fresh(guests, CONFIG)
    result = guestctl.json("shutdown", "--preserve", status=1)
    ticks = {name: last_tick(guests, name) for name in [*(s.name for s in SPECS), TRANSIENT]}
    return Down(guestctl, result, by_name(result), ticks)


@pytest.fixture(scope="module")
def up(guests: SessionDaemon, down: Down) -> Up:
    """The guests brought back."""
    result = down.guestctl.json("start")
    states = {name: guests.state(name) for name in down.guests}
    return Up(down.guestctl, result, by_name(result), states)


# -- down ------------------------------------------------------------------------------------


def test_the_plan_is_what_is_done(plan: dict[str, Any], down: Down) -> None:
    assert plan.keys() == down.guests.keys()
    for name, guest in down.guests.items():
        planned = [step["step"] for step in plan[name]["steps"]]
        tried = [step["step"] for step in guest["steps"]]
        assert tried == planned[: len(tried)], name


def test_every_guest_is_named_in_the_result(down: Down) -> None:
    assert set(down.guests) == {spec.name for spec in SPECS} | {TRANSIENT}
    assert not down.result["ok"]
    assert not down.result["interrupted"]


@pytest.mark.parametrize("name", sorted(RESUMED))
def test_saved(guests: SessionDaemon, down: Down, name: str) -> None:
    assert down.guests[name]["outcome"] == "saved"
    assert ends(down.guests[name]) == {"save": "done"}
    assert not said_bye(guests, name)


def test_suspended_to_ram_is_woken_to_be_saved(down: Down) -> None:
    assert "woken from suspend to RAM" in trail(down.guestctl, guest_uuid(ASLEEP))


def test_obeys(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[OBEYS]["outcome"] == "shut-down"
    assert ends(down.guests[OBEYS]) == {"shutdown": "done"}
    assert said_bye(guests, OBEYS)
    assert console.presses(guests.console(OBEYS)) == 1


def test_ignores_and_is_powered_off(guests: SessionDaemon, down: Down) -> None:
    guest = down.guests[IGNORES]
    assert guest["outcome"] == "powered-off"
    assert ends(guest) == {"shutdown": "timed out", "poweroff": "done"}
    assert guest["steps"][0]["seconds"] == pytest.approx(SHUTDOWN_TIMEOUT, abs=3)
    assert "2 times by acpi" in guest["reason"]
    assert console.presses(guests.console(IGNORES)) == 2
    assert not said_bye(guests, IGNORES)


def test_slow_has_the_time_it_needs(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[SLOW]["outcome"] == "shut-down"
    assert down.guests[SLOW]["seconds"] > 3
    assert said_bye(guests, SLOW)


def test_request_is_repeated(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[SECOND]["outcome"] == "shut-down"
    assert console.presses(guests.console(SECOND)) == 2
    assert said_bye(guests, SECOND)


def test_paused_without_save_is_unpaused_to_shut_down(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[PAUSED_OFF]["outcome"] == "shut-down"
    assert said_bye(guests, PAUSED_OFF)
    assert any("unpaused" in reason for reason in trail(down.guestctl, PAUSED_OFF))


def test_transient_is_shut_down(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[TRANSIENT]["outcome"] == "shut-down"
    assert ends(down.guests[TRANSIENT]) == {"shutdown": "done"}
    assert said_bye(guests, TRANSIENT)
    assert guests.state(TRANSIENT) == "undefined"


def test_agent_shuts_down_what_ignores_its_button(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[BY_AGENT]["outcome"] == "shut-down"
    assert said_bye(guests, BY_AGENT)
    assert console.presses(guests.console(BY_AGENT)) == 0


def test_acpi_where_the_agent_does_not_answer(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[AGENT_DEAD]["outcome"] == "shut-down"
    assert down.guests[AGENT_DEAD]["seconds"] < SHUTDOWN_TIMEOUT
    assert console.presses(guests.console(AGENT_DEAD)) == 1
    assert said_bye(guests, AGENT_DEAD)


def test_crashed_is_powered_off_at_once(down: Down) -> None:
    assert down.guests[CRASHED]["outcome"] == "powered-off"
    assert ends(down.guests[CRASHED]) == {"poweroff": "done"}


def test_without_poweroff_it_is_left_running(guests: SessionDaemon, down: Down) -> None:
    assert down.guests[STUBBORN]["outcome"] == "failed"
    assert ends(down.guests[STUBBORN]) == {"shutdown": "timed out"}
    assert guests.state(STUBBORN) == "running"
    assert next_tick(guests, STUBBORN).boot_id == down.ticks[STUBBORN].boot_id
    assert listed(down.guestctl, STUBBORN)["wanted"] == "on"


# -- up --------------------------------------------------------------------------------------


def test_what_was_up_comes_back(up: Up) -> None:
    """All but the transient one, which is no more, and the stubborn one, which never went."""
    assert set(up.guests) == {spec.name for spec in SPECS} - {STUBBORN}
    assert up.result["ok"]
    assert up.states[TRANSIENT] == "undefined"
    ends = {name: guest["outcome"] for name, guest in up.guests.items()}
    assert ends == {
        **dict.fromkeys(RESUMED, "resumed"),
        **dict.fromkeys(NOT_RESTORED, "skipped"),
        OBEYS: "started",
    }


@pytest.mark.parametrize("name", sorted(RESUMED - {PAUSED}))
def test_resumed_with_the_next_tick(guests: SessionDaemon, down: Down, up: Up, name: str) -> None:
    assert up.states[name] == "running"
    assert went_on(guests, name, down.ticks[name])


def test_paused_stays_paused_until_it_is_resumed(guests: SessionDaemon, down: Down, up: Up) -> None:
    assert up.states[PAUSED] == "paused"
    assert last_tick(guests, PAUSED) == down.ticks[PAUSED]
    guests.virsh("resume", guests.id_of(PAUSED))
    assert went_on(guests, PAUSED, down.ticks[PAUSED])


def test_clock_of_a_resumed_guest_is_set(guests: SessionDaemon, up: Up) -> None:
    get_time = '{"execute":"guest-get-time"}'
    asked = time.time_ns()
    answer = guests.virsh("qemu-agent-command", guests.id_of(AGENT_SAVED), get_time)
    told = time.time_ns()
    # It slept for longer than this while the ladder was tried on the others.
    assert asked - 4e9 < json.loads(answer)["return"] < told + 4e9
    assert "its clock was set" in trail(up.guestctl, AGENT_SAVED)


def test_booted_anew_after_a_shutdown(guests: SessionDaemon, down: Down, up: Up) -> None:
    assert not went_on(guests, OBEYS, down.ticks[OBEYS])
    assert last_tick(guests, OBEYS).boot_id != down.ticks[OBEYS].boot_id


def test_nothing_is_started_twice(up: Up) -> None:
    again = up.guestctl.json("start")
    assert {guest["outcome"] for guest in again["guests"]} == {"skipped"}
    assert set(by_name(again)) == set(NOT_RESTORED)


def test_a_name_goes_before_a_uuid(down: Down) -> None:
    assert trail(down.guestctl, ASLEEP) == trail(down.guestctl, guest_uuid(ASLEEP))
