"""A takeover, or a handback, that somebody asks for while guests are being saved or brought up."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.host.conftest import NewHost
from tests.host.service import wait_watching
from tests.host.support import listed, lived_once, wait_saving
from tests.host.taking_over import (
    RECORD,
    assert_lived_on,
    is_guestctls,
    is_libvirt_guests,
    ticks,
    under_libvirt_guests,
)
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

NAMES = ["one", "two"]
TAKEOVER, HANDBACK = "guestctl takeover", "guestctl handback"
SAVES = "guestctl shutdown --preserve"
SLOWLY = 500_000


def test_neither_cuts_off_a_run(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    under_libvirt_guests(host, NAMES)
    before = ticks(host, NAMES)
    a_run_in_a_process_of_its_own(host)
    host.run(TAKEOVER, timeout=120)
    assert is_guestctls(host)
    a_run_of_the_service(host)
    assert is_guestctls(host)
    a_run_meanwhile(host)
    host.run(HANDBACK, timeout=120)
    assert is_libvirt_guests(host)
    assert_lived_on(host, before)
    assert all(lived_once(host, name) for name in NAMES)


def a_run_in_a_process_of_its_own(host: Host) -> None:
    """guestctl is installed, and not in charge."""
    run = saving(host)
    for verb in (TAKEOVER, f"{TAKEOVER} --dry-run", HANDBACK):
        said = refused(host, verb)
        assert "a run goes on, which that could cut off: " in said, said
        assert f"{SAVES} (process " in said, said
    assert not (host.root / RECORD).exists()
    assert is_libvirt_guests(host)
    all_saved(host, run)


def a_run_of_the_service(host: Host) -> None:
    wait_watching(host)
    run = saving(host)
    for verb in (HANDBACK, f"{HANDBACK} --dry-run", TAKEOVER):
        said = refused(host, verb)
        assert SAVES in said, said
        assert "`guestctl attach` shows it" in said
    all_saved(host, run)


def a_run_meanwhile(host: Host) -> None:
    """None begins, and who asks for one is told why: here while libvirt-guests is being started."""
    stopped = host.root / "etc/systemd/system/libvirt-guests.service.d/slow.conf"
    stopped.write_text("[Service]\nExecStartPre=/bin/sleep 20\n")
    host.run("systemctl daemon-reload")
    going = host.popen(HANDBACK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    holder = host.path("run/guestctl/run.json")
    wait_until(lambda: HANDBACK in holder.read_text(), 60, "the handback")
    done = host.run("guestctl start one", check=False)
    assert (done.returncode, HANDBACK in done.stderr) == (5, True), done
    said = going.communicate(timeout=120)[0].decode()
    assert going.returncode == 0, said
    assert is_libvirt_guests(host)
    stopped.unlink()
    host.run("systemctl daemon-reload")
    host.run(TAKEOVER, timeout=120)


def saving(host: Host) -> subprocess.Popen[Any]:
    host.slow_saves(SLOWLY)
    run = host.popen(SAVES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_saving(host, NAMES)
    return run


def refused(host: Host, command: str) -> str:
    done = host.run(command, check=False)
    assert done.returncode == 5, done
    return str(done.stderr)


def all_saved(host: Host, run: subprocess.Popen[Any]) -> None:
    """By that run, which nobody has ended; and up again."""
    host.slow_saves(0)
    said = run.communicate(timeout=120)[0].decode()
    assert run.returncode == 0, said
    assert {name: row["saved"] for name, row in listed(host).items()} == dict.fromkeys(NAMES, True)
    host.run("guestctl start", timeout=120)
