"""Who is ready when: real guests with an agent, with a network of QEMU's own, with neither."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Guestctl
from tests.testbed.guests import Card, GuestSpec
from tests.testbed.session import SessionDaemon

from .failures_support import outcomes
from .support import by_name, cleared, last_tick, listed, override, trail, went_on

pytestmark = pytest.mark.guests

AGENT, PLAIN, APP, CARD = "db", "appliance", "app", "card"
NAMES = (AGENT, PLAIN, APP, CARD)
SPECS = (
    GuestSpec(AGENT, agent=True),
    GuestSpec(PLAIN),
    GuestSpec(APP),
    GuestSpec(CARD, agent=True, card=Card()),
)


@pytest.fixture(scope="module")
def guests(daemon: SessionDaemon) -> Iterator[SessionDaemon]:
    """Defined, and off."""
    with cleared(daemon):
        for spec in SPECS:
            daemon.define(spec)
        yield daemon


@pytest.fixture(autouse=True)
def off(guests: SessionDaemon) -> Iterator[None]:
    """Each test begins with guests that are off."""
    yield
    for name in NAMES:
        if guests.state(name) != "shut off":
            guests.virsh("destroy", guests.id_of(name))


def test_its_agent_answers_before_who_requires_it_is_started(
    guests: SessionDaemon, guestctl: Guestctl
) -> None:
    guestctl.configure(
        override(AGENT, 'ready = ["agent"]') + override(APP, f'requires = ["{AGENT}"]')
    )
    up = guestctl.json("start", AGENT, APP)
    assert outcomes(up) == {AGENT: "started", APP: "started"}
    assert trail(guestctl, AGENT)[-1].startswith("ready after ")
    # It boots for seconds on an emulated processor, which a start that does not wait does not.
    assert by_name(up)[APP]["seconds"] > by_name(up)[AGENT]["seconds"] > 1
    assert "tainted" not in guests.virsh("dominfo", guests.id_of(AGENT))

    tick = last_tick(guests, AGENT)
    guestctl.run("shutdown", "--preserve", AGENT, APP)
    assert outcomes(guestctl.json("start")) == {AGENT: "resumed", APP: "resumed"}
    ready = [line for line in trail(guestctl, AGENT) if line.startswith("ready after ")]
    assert len(ready) == 2
    assert went_on(guests, AGENT, tick)


def test_one_that_is_not_ready_in_time_is_up_but_unready(
    guests: SessionDaemon, guestctl: Guestctl
) -> None:
    guestctl.configure(
        override(AGENT, 'ready = ["agent", "tcp:5432"]', 'ready-timeout = "1min"')
        + override(APP, f'requires = ["{AGENT}"]')
        + override(PLAIN, f'after = ["{AGENT}"]')
    )
    up = guestctl.json("start", AGENT, APP, PLAIN, status=1)
    assert outcomes(up) == {AGENT: "started", APP: "skipped", PLAIN: "started"}
    why = "tcp:5432: libvirt knows no address of it"
    assert by_name(up)[AGENT]["unready"] == why
    assert listed(guestctl, AGENT)["unready"] == why
    assert f"goes on without {AGENT}, not ready yet" in trail(guestctl, PLAIN)
    # What shows that it is ready is a rule less: the next start looks again.
    guestctl.configure(
        override(AGENT, 'ready = ["agent"]') + override(APP, f'requires = ["{AGENT}"]')
    )
    assert outcomes(guestctl.json("start", APP)) == {APP: "started"}
    assert listed(guestctl, AGENT)["unready"] is None
    assert trail(guestctl, AGENT)[-1] == "ready now"


def test_without_an_agent_nothing_is_waited_for(guests: SessionDaemon, guestctl: Guestctl) -> None:
    guestctl.configure(override(PLAIN, 'ready = ["agent"]', 'ready-timeout = "10min"'))
    up = by_name(guestctl.json("start", PLAIN, status=1))[PLAIN]
    assert up["outcome"] == "started"
    assert "QEMU guest agent is not configured" in up["unready"]
    assert up["seconds"] < 30


def test_an_address_is_known_by_the_agent(guests: SessionDaemon, guestctl: Guestctl) -> None:
    guestctl.configure(override(CARD, 'ready = ["address"]'))
    assert outcomes(guestctl.json("start", CARD)) == {CARD: "started"}
    addresses = guests.virsh("domifaddr", guests.id_of(CARD), "--source", "agent")
    assert "10.0.2.15" in addresses  # of QEMU's user-mode network
    guestctl.run("shutdown", "--preserve", CARD)
    assert outcomes(guestctl.json("start")) == {CARD: "resumed"}
    ready = [line for line in trail(guestctl, CARD) if line.startswith("ready after ")]
    assert len(ready) == 2
