"""Guests that must not be saved, and guests that somebody else starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Guestctl
from tests.testbed.console import Tick
from tests.testbed.guests import GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import outcomes, redefined
from .support import (
    by_name,
    cleared,
    fresh,
    last_tick,
    listed,
    next_tick,
    override,
    said_bye,
    steps,
    trail,
    went_on,
)

pytestmark = pytest.mark.guests

SHARES, PINNED, REFUSED = "shares a disk", "not migratable", "has shared memory"
NOVA, ELSEWHERE = "of Nova", "of a cluster"
NAMES = (SHARES, PINNED, REFUSED, NOVA, ELSEWHERE)
NOVA_XML = '<nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1"/>'
#: libvirt refuses to save a guest with such a device; guestctl learns it from the refusal.
SHARED_MEMORY = (
    "<shmem name='guestctl-test-{}'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"
)
REASONS = {SHARES: "it shares a disk with another guest", PINNED: "migratable off"}
OWNERS = {NOVA: "OpenStack Nova starts it", ELSEWHERE: "another program starts it"}
CONFIG = override(ELSEWHERE, "managed-elsewhere = true")


@dataclass(frozen=True)
class Preserved:
    """The guests' plan, the preserve after it, and the `start` after that."""

    guestctl: Guestctl
    plan: dict[str, Any]
    down: dict[str, Any]
    ticks: dict[str, Tick]
    up: dict[str, str]


@pytest.fixture(scope="module")
def guests(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """All of them, running."""
    with cleared(daemon):
        define_all(daemon)
        for name in NAMES:
            daemon.start_again(name, wait=False)
        for name in NAMES:
            next_tick(daemon, name)
        yield daemon


def define_all(daemon: SessionDaemon) -> None:
    disk = daemon.folder / "d/shared.raw"
    daemon.run(["qemu-img", "create", "-q", "-f", "raw", str(disk), "1M"])
    redefined(daemon, GuestSpec(SHARES, disk=disk), "</disk>", "<shareable/></disk>")
    redefined(
        daemon, GuestSpec(PINNED), "<cpu mode='custom'", "<cpu mode='maximum' migratable='off'"
    )
    memory = SHARED_MEMORY.format(daemon.folder.name)
    redefined(daemon, GuestSpec(REFUSED), "</devices>", f"{memory}</devices>")
    metadata = f"<metadata>{NOVA_XML}</metadata>"
    redefined(daemon, GuestSpec(NOVA), "<memory", f"{metadata}<memory")
    daemon.define(GuestSpec(ELSEWHERE))


@pytest.fixture(scope="module")
def preserved(guests: SessionDaemon) -> Preserved:
    """They all went down and up again, as far as guestctl is the one to bring them up."""
    guestctl = fresh(guests, CONFIG)
    plan = by_name(guestctl.json("plan"))
    down = by_name(guestctl.json("shutdown", "--preserve"))
    ticks = {name: last_tick(guests, name) for name in NAMES}
    return Preserved(guestctl, plan, down, ticks, outcomes(guestctl.json("start")))


@pytest.mark.parametrize("name", sorted(REASONS))
def test_known_beforehand_and_not_tried(
    guests: SessionDaemon, preserved: Preserved, name: str
) -> None:
    planned = preserved.plan[name]
    assert [step["step"] for step in planned["steps"]] == ["shutdown", "poweroff"]
    assert REASONS[name] in planned["left_out"]["save"]
    assert preserved.down[name]["outcome"] == "shut-down"
    assert steps(preserved.down[name]) == {"shutdown": "done"}
    assert any(REASONS[name] in reason for reason in trail(preserved.guestctl, name))
    assert preserved.up[name] == "started"


def test_refusal_is_remembered(guests: SessionDaemon, preserved: Preserved) -> None:
    """Until the guest's XML changes, nobody tries again what libvirt refused."""
    assert preserved.plan[REFUSED]["steps"][0]["step"] == "save"
    assert steps(preserved.down[REFUSED]) == {"save": "failed", "shutdown": "done"}
    assert preserved.up[REFUSED] == "started"
    planned = by_name(preserved.guestctl.json("plan"))[REFUSED]
    assert [step["step"] for step in planned["steps"]] == ["shutdown", "poweroff"]
    assert "libvirt refused the last one" in planned["left_out"]["save"]


@pytest.mark.parametrize("name", sorted(OWNERS))
def test_preserved_but_not_started(guests: SessionDaemon, preserved: Preserved, name: str) -> None:
    """Another program brings it back, and may boot it anew: its memory would be lost in a save."""
    assert OWNERS[name] in preserved.plan[name]["left_out"]["save"]
    assert preserved.down[name]["outcome"] == "shut-down"
    assert preserved.up[name] == "skipped"
    assert guests.state(name) == "shut off"
    row = listed(preserved.guestctl, name)
    assert (row["saved"], row["next_boot"]) == (False, "stay-down")
    again = by_name(preserved.guestctl.json("start", name))[name]
    assert again["outcome"] == "skipped"
    assert OWNERS[name] in again["reason"]


@pytest.mark.parametrize("name", sorted(OWNERS))
def test_its_owner_starts_it(guests: SessionDaemon, preserved: Preserved, name: str) -> None:
    """Anew, after a shutdown in good order."""
    assert said_bye(guests, name)
    guests.start_again(name)
    assert not went_on(guests, name, preserved.ticks[name])
