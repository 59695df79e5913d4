"""libvirt-guests is switched off beside guestctl, and before it, by the command that people type.

That takes its guests down, which is nobody's word about them.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.host import doctor
from tests.host.service import wait_watching
from tests.host.stage import FEW
from tests.host.support import (
    assert_back,
    journal_since,
    listed,
    look,
    trail,
    wait_restored,
)
from tests.host.taking_over import DROP_IN
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
BY_HAND, *OTHERS = FEW.saved
SETTINGS = "SHUTDOWN_TIMEOUT=6\nPARALLEL_SHUTDOWN=10\nON_SHUTDOWN="


def test_its_guests_are_off_by_nobodys_word(host: Host) -> None:
    settings = host.root / "etc/default/libvirt-guests"
    before = settings.read_text()
    never_taken_over(host)
    settings.write_text(f"{SETTINGS}shutdown\n")
    beside_guestctl(host)
    settings.write_text(f"{SETTINGS}suspend\n")
    before_guestctl(host)
    settings.write_text(before)


def never_taken_over(host: Host) -> None:
    """What a takeover leaves, by which its stop takes nobody down."""
    host.run(f"rm -f /{DROP_IN} && systemctl daemon-reload")


def switch_off(host: Host) -> None:
    """As people do; and as nobody should, but by the lines of the how-to."""
    host.run("systemctl enable --now libvirt-guests")
    host.run("systemctl disable --now libvirt-guests", timeout=120)


def beside_guestctl(host: Host) -> None:
    since = time.time_ns()
    switch_off(host)
    taken = {*FEW.saved, "slow"}
    wait_until(lambda: by_it(host) == taken, 30, "verdicts")
    rows = listed(host)
    assert rows["ignores"]["state"] == "running"
    for name in taken:
        found = rows[name]
        assert (found["stopped_how"], found["certainty"]) == ("shut down", "likely")
        assert (found["wanted"], found["next_boot"]) == ("on", "start")
        assert f"{name}: libvirt-guests took it down" in journal_since(host, since)
    assert {problem["name"]: problem["command"] for problem in problems(host)} == {
        name: f"guestctl start '{name}'" if " " in name else f"guestctl start {name}"
        for name in taken
    }
    assert found_by_doctor(host) == {(name, "warning") for name in taken}
    host.run("systemctl restart guestctl")
    wait_watching(host)
    assert by_it(host) == taken
    host.start_all([spec for spec in FEW.specs if spec.name == BY_HAND])
    host.virsh("shutdown", "--mode", "acpi", BY_HAND)
    wait_until(lambda: listed(host)[BY_HAND]["wanted"] == "off", 30, "newest word")
    assert listed(host)[BY_HAND]["stopped_by"] == "administrator"
    host.run("guestctl start", timeout=120)
    up = {name for name, row in listed(host).items() if row["state"] == "running"}
    assert up == {*OTHERS, "slow", "ignores"}
    assert problems(host) == []
    assert found_by_doctor(host) == set()


def before_guestctl(host: Host) -> None:
    """Installed afterwards, it knows of no guest; the list is all that there is."""
    host.run("systemctl disable --now guestctl")
    host.run("rm -r /var/lib/guestctl /var/cache/guestctl")
    host.reboot()
    host.start_all(FEW.specs)
    was = look(host, FEW.names)
    switch_off(host)
    since = time.time_ns()
    host.run("systemctl enable --now guestctl")
    wait_restored(host)
    wait_watching(host)
    rows = listed(host)
    assert by_it(host) == set(FEW.names)
    assert {row["state"] for row in rows.values()} == {"shut off"}
    assert {row["next_boot"] for row in rows.values()} == {"resume"}
    assert "while guestctl was away" in trail(host, BY_HAND)[0]
    assert "the next boot starts it, or guestctl start" in journal_since(host, since)
    assert {problem["name"] for problem in problems(host)} == set(FEW.names)

    host.reboot()
    wait_restored(host)
    assert_back(host, was, dict.fromkeys(FEW.names, "resumed"))
    assert problems(host) == []


def by_it(host: Host) -> set[str]:
    return {name for name, it in listed(host).items() if it["stopped_by"] == "libvirt-guests"}


def problems(host: Host) -> list[dict[str, Any]]:
    """Of guests that libvirt-guests took down; earlier tests had problems of their own."""
    said = json.loads(host.run("guestctl status --json", check=False).stdout)
    return [it for it in said["problems"] if "since libvirt-guests" in it["problem"]]


def found_by_doctor(host: Host) -> set[tuple[str, str]]:
    """Who is off because of it, and how bad that is."""
    told = doctor.findings(host)
    off = [it for it in told if it["check"] == "off-by-libvirt-guests"]
    return {(it["guest"]["name"], it["severity"]) for it in off}
