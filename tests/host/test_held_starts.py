"""A guest that is held because of its save, and who else starts it: libvirt's hook refuses that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.host.conftest import NewHost
from tests.host.support import (
    boots_of,
    image,
    journal_since,
    listed,
    newest_tick,
    trail,
    wait_restored,
    went_on,
)
from tests.testbed.commands import CommandError
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

DECIDED, FORCED, REMOVED, OPTED = NAMES = ("decided", "forced", "removed", "not refused")
IMAGES = Path("/var/lib/libvirt/images")
OPT_OUT = "etc/guestctl/conf.d/opt-out.toml"
NOT_BY_US = "not by guestctl, although it was held: its save is stale"


def test_held_guests_are_not_started_by_habit(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    wait_restored(host)
    make_stale(host)
    for name in NAMES:
        assert_refused(host, name)

    before = newest_tick(host, DECIDED)
    host.run(["guestctl", "start", "--resume-anyway", DECIDED])
    assert went_on(host, DECIDED, before)

    started = time.time_ns()
    host.virsh("start", "--force-boot", FORCED)
    assert len(boots_of(host, FORCED)) == 2
    assert_told(host, FORCED, f"started, {NOT_BY_US}", started)

    host.virsh("managedsave-remove", REMOVED)
    host.virsh("start", REMOVED)
    assert len(boots_of(host, REMOVED)) == 2

    opt_out(host)
    before, started = newest_tick(host, OPTED), time.time_ns()
    host.virsh("start", OPTED)
    assert went_on(host, OPTED, before)
    assert_told(host, OPTED, f"resumed from its save, {NOT_BY_US}", started)
    assert {row["held"] for row in listed(host).values()} == {None}


def make_stale(host: Host) -> None:
    """All are saved, their disks written to, and held."""
    for name in NAMES:
        host.run(["truncate", "-s", "1M", disk(name)])
    host.start_all([GuestSpec(name, disk=disk(name)) for name in NAMES])
    host.run(["guestctl", "shutdown", "--preserve", *NAMES])
    for name in NAMES:
        host.run(["truncate", "-s", "2M", disk(name)])
    assert host.run(["guestctl", "start"], check=False).returncode == 1
    assert all(row["next_boot"] == "held" for row in listed(host).values())


def disk(name: str) -> Path:
    return IMAGES / f"{name.replace(' ', '-')}.raw"


def assert_refused(host: Host, name: str) -> None:
    """With the reason and the ways out, and nothing is done to the save."""
    with pytest.raises(CommandError) as refused:
        host.virsh("start", name)
    said = str(refused.value)
    print(said)
    assert f"guestctl refuses to start {name}: its save is stale" in said
    assert "--resume-anyway" in said
    assert "--discard-save" in said
    assert host.state(name) == "shut off"
    assert image(host, name).exists()


def assert_told(host: Host, name: str, text: str, since: int) -> None:
    """In the trail, last but for the end of the hold, and as a warning in the journal."""
    ends = "its save is gone"
    wait_until(lambda: trail(host, name)[-1] == ends, 20, f"the end of the hold of {name}")
    assert trail(host, name)[-2].startswith(text)
    assert listed(host)[name]["held"] is None
    options = ("--priority=warning", "--unit=guestctl.service", f"--since=@{since / 1e9:.6f}")
    assert f"{name}: {text}" in host.journal(*options)
    assert f"{name}: {text}" in journal_since(host, since)


def opt_out(host: Host) -> None:
    (host.root / OPT_OUT).write_text("[boot]\nrefuse-starts = false\n")
    host.run(["systemctl", "reload", "guestctl.service"])
    notes = host.path("/run/guestctl/held")
    wait_until(lambda: not list(notes.iterdir()), 20, "the end of the notes")
