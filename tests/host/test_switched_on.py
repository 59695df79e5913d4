"""guestctl is switched on, or on again, in the midst of a boot that began without it."""

from __future__ import annotations

import json
import time

import pytest

from tests.host import doctor
from tests.host.service import status, wait_watching
from tests.host.stage import FEW
from tests.host.support import journal_since, listed, trail, wait_restored
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW
PULLED, NEVER, BY_HAND = FEW.saved
UP = ["slow", BY_HAND]


def test_nobody_is_started_and_all_say_so(host: Host) -> None:
    host.run("systemctl disable --now guestctl")
    host.reboot()
    for name in (PULLED, *UP):
        host.virsh("start", name)
    host.virsh("destroy", PULLED)
    since = time.time_ns()
    host.run("systemctl enable --now guestctl")
    wait_restored(host)
    wait_watching(host)
    assert_left_as_found(host)
    assert "nobody is started in this boot" in journal_since(host, since)
    assert f"off, though wanted on before: {NEVER}" in journal_since(host, since)
    assert status(host)["service"]["as_found"] == ["qemu:///system"]
    assert "left as they were found" in host.run("guestctl status", check=False).stdout
    assert doctor.found(host, "switched-on-late")["severity"] == "note"

    host.run("systemctl restart guestctl")
    wait_watching(host)
    assert_left_as_found(host)

    host.reboot()
    wait_restored(host)
    assert sorted(status(host)["service"]["up"]) == sorted(UP)
    assert status(host)["service"]["as_found"] == []
    assert "switched-on-late" not in doctor.checks(host)


def assert_left_as_found(host: Host) -> None:
    rows = listed(host)
    assert {name for name, row in rows.items() if row["state"] == "running"} == set(UP)
    assert (rows[PULLED]["stopped_by"], rows[PULLED]["wanted"]) == ("administrator", "off")
    assert "somebody had libvirt pull its plug" in trail(host, PULLED)[-1]
    assert (rows[NEVER]["stopped_by"], rows[NEVER]["wanted"]) == ("unknown", "off")
    assert "was off when guestctl was switched on" in " ".join(trail(host, NEVER))
    boot = json.loads(host.run("guestctl plan --boot --json", check=False).stdout)
    assert {row["name"] for row in boot if row["next_boot"] != "stay-down"} == set(UP)
