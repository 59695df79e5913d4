"""Guests that depend on one another, a host that goes down in two ways: consoles tell the order.

A diamond: app comes after db and dns, as its own XML says, and both require nas.  With no time for
it, the order is given up, and nobody is.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.host.conftest import NewHost
from tests.host.service import wait_watching
from tests.host.support import assert_back, began, listed, look, outcomes, trail, wait_restored
from tests.testbed.console import read_ticks, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, REBOOT, leave_by, pass_through
from tests.testbed.witness import Witness

pytestmark = pytest.mark.hosts

APP, DB, DNS, NAS = "app", "db", "dns", "nas"
NAMES = (APP, DB, DNS, NAS)
#: The later it goes down, the sooner it would be down by itself.
SPECS = [
    GuestSpec(APP, button="slow:16"),
    GuestSpec(DB, button="slow:2"),
    GuestSpec(DNS, button="slow:1"),
    GuestSpec(NAS),
]
#: With systemd 252 nobody tells how the host goes down before the saves begin.
NO_SAVES = '[shutdown]\nsave = "none"\n'
PROFILE = '[profile.poweroff]\nsave = "none"\n'
ORDER = """
[[guest]]
match = "d*"
requires = ["nas"]
[[guest]]
match = "*"
ready = ["delay:4s"]
"""
#: In too short a time for its order: app takes 16 s to go down, two are saved at that rate.
HURRIED = """
[[guest]]
match = "app"
save = "none"
[[guest]]
match = "db"
save = "none"
"""
BYTES_PER_SECOND = 25_000_000
GIVEN_UP = "its order is given up: no time is left to wait for "


def test_a_diamond_through_poweroff_and_reboot(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    tells = suite != "bookworm"
    configuration = host.root / "etc/guestctl/conf.d/test.toml"
    configuration.write_text((PROFILE if tells else NO_SAVES) + ORDER)
    host.boot()
    host.start_all(SPECS)
    assert "was not set" in host.run(["guestctl", "policy", APP, "--set", "after=db,dns"]).stdout
    wait_watching(host)
    by_poweroff(host)
    wait_watching(host)
    configuration.write_text((PROFILE if tells else "") + ORDER)
    by_reboot(host)
    configuration.write_text(HURRIED + ORDER)
    in_too_short_a_time(host)
    in_hardly_any_time(host)


def by_poweroff(host: Host) -> None:
    """All are shut down, as that profile has it: down, and up again, in their order."""
    before = look(host, NAMES)
    with witness(host) as down:
        leave_by(host, POWEROFF)
    for name in (DB, DNS):
        assert down.place(APP, "bye") < down.place(name, "press")
        assert down.place(name, "bye") < down.place(NAS, "press")
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == dict.fromkeys(NAMES, "shut-down")
    for name in (DB, DNS):
        assert began(host, NAS) < began(host, name) < began(host, APP)
    for name in NAMES:
        wait_for_tick(host.console(name), len(read_ticks(host.console(name))))


def by_reboot(host: Host) -> None:
    """All are saved, at the same time, and go on where they were."""
    before = look(host, NAMES)
    host.slow_saves(BYTES_PER_SECOND)  # which the next saves are expected to take as well
    pass_through(host, REBOOT)
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == dict.fromkeys(NAMES, "saved")
    assert_back(host, before, dict.fromkeys(NAMES, "resumed"))
    assert {row["state"] for row in listed(host).values()} == {"running"}


def in_too_short_a_time(host: Host) -> None:
    """The order is given up, each gets its steps all the same, and all are back."""
    before = look(host, NAMES)
    with witness(host) as down:
        ended = shut_down(host, "40s")
    assert {name: guest["outcome"] for name, guest in ended.items()} == {
        **dict.fromkeys((APP, DB), "shut-down"),
        **dict.fromkeys((DNS, NAS), "saved"),
    }
    for name in (DB, DNS):
        assert any(reason.startswith(GIVEN_UP + APP) for reason in trail(host, name))
    assert down.place(DB, "bye") < down.place(APP, "bye")
    host.run(["guestctl", "start"])
    back = {**dict.fromkeys((APP, DB), "started"), **dict.fromkeys((DNS, NAS), "resumed")}
    assert_back(host, before, back)


def in_hardly_any_time(host: Host) -> None:
    """Nobody is left behind: plugs are pulled where nothing else fits, and all are started."""
    before = look(host, NAMES)
    ended = shut_down(host, "4s")
    left_out = {"step": "save", "end": "left out"}
    for name, guest in ended.items():
        assert guest["outcome"] in ("shut-down", "powered-off")
        steps = [{key: step[key] for key in left_out} for step in guest["steps"]]
        assert (left_out in steps) == (name in (DNS, NAS))
    assert ended[APP]["outcome"] == "powered-off"
    rows = listed(host).values()
    assert {(row["state"], row["wanted"]) for row in rows} == {("shut off", "on")}
    host.run(["guestctl", "start"])
    assert_back(host, before, dict.fromkeys(NAMES, "started"))


def shut_down(host: Host, within: str) -> dict[str, Any]:
    """What comes of a preserve that has no more time than that; each guest by its name."""
    preserve = ["guestctl", "shutdown", "--preserve", "--json", "--within", within]
    result = host.run(preserve, check=False)
    found = {guest["name"]: guest for guest in json.loads(result.stdout)["guests"]}
    assert set(found) == set(NAMES)
    return found


def witness(host: Host) -> Witness:
    return Witness({name: host.console(name) for name in NAMES})
