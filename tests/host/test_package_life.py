"""The package, from its installation beside libvirt-guests to its purge; guests run throughout."""

from __future__ import annotations

import subprocess

import pytest

from tests.host.conftest import NewHost, copy_package
from tests.host.service import wait_watching
from tests.host.support import (
    all_lived_on,
    boots_of,
    listed,
    lived_once,
    look,
    newest_ticks,
    wait_saving,
    went_on,
)
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

GUESTS = [GuestSpec("one"), GuestSpec("two")]
NAMES = [guest.name for guest in GUESTS]
UNITS = ("guestctl", "guestctl-guard", "guestctl-autostart", "guestctl-fallback")
OFF, ON = ["inactive"] * 4, ["active", "active", "inactive", "inactive"]
RIVAL = "libvirt-guests"
#: What is written by others, and by the test itself.
NOT_OURS = (
    "find / -xdev '(' -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp"
    " -o -path /var/tmp -o -path /var/log -o -path /var/cache/man -o -path /var/lib/testbed"
    " -o -path /var/lib/libvirt -o -path /var/cache/libvirt -o -path /var/lib/systemd"
    " -o -path /root -o -name __pycache__ ')' -prune -o -print"
)


def test_beside_libvirt_guests_from_installation_to_purge(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    deb = copy_package(host)
    host.run(["dpkg", "--purge", "guestctl"])
    host.run(["systemctl", "enable", "--now", RIVAL])
    host.start_all(GUESTS)
    before, ticks = on_disk(host), newest_ticks(host, NAMES)

    assert_stays_off(host, host.run(["dpkg", "--install", deb]).stdout)
    host.run(["dpkg", "--install", deb])  # an upgrade keeps to it
    assert (states(host), enabled(host)) == (OFF, ["disabled", "disabled"])

    host.run("guestctl import && guestctl takeover", timeout=200)
    assert (states(host), enabled(host)) == (ON, ["enabled", "enabled"])
    assert state_of_rival(host) == ["inactive", "disabled"]
    said = host.run(["dpkg", "--install", deb]).stdout
    assert "libvirt-guests" not in said
    assert (states(host), enabled(host)) == (ON, ["enabled", "enabled"])
    assert all_lived_on(host, ticks)

    said = host.run(["dpkg", "--remove", "guestctl"], timeout=200).stdout
    assert "nobody is in charge" not in said
    assert state_of_rival(host) == ["active", "enabled"]
    assert "ExecStop={" in host.run(["systemctl", "show", "--property=ExecStop", RIVAL]).stdout
    assert states(host) == OFF
    assert_nothing_of_this_boot(host)

    # Over what a removal has left.
    assert_stays_off(host, host.run(["dpkg", "--install", deb]).stdout)
    host.run(["dpkg", "--purge", "guestctl"], timeout=200)
    assert on_disk(host) - before == set()
    assert before - on_disk(host) == set()
    assert_nothing_of_this_boot(host)
    assert all_lived_on(host, ticks)
    assert [len(boots_of(host, name)) for name in NAMES] == [1, 1]


def test_a_purge_takes_what_a_takeover_left_where_it_cannot_be_undone(
    new_host: NewHost, suite: str
) -> None:
    """The removal goes on; nothing is left by which a stop of libvirt-guests would save nobody."""
    host = new_host(suite)
    host.boot()
    host.run("guestctl takeover", timeout=200)
    (host.root / "var/lib/guestctl/takeover.json").write_text("{")
    done = host.run(["dpkg", "--purge", "guestctl"], timeout=200)
    assert "the takeover is not undone" in done.stderr
    assert "nobody is in charge of this host's guests any more" in done.stdout
    host.run(["systemctl", "start", RIVAL])
    assert "ExecStop={" in host.run(["systemctl", "show", "--property=ExecStop", RIVAL]).stdout
    assert not (host.root / "etc/systemd/system" / f"{RIVAL}.service.d").exists()


def test_an_upgrade_in_the_middle_of_a_run_loses_no_guest(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    host.start_all(GUESTS)
    wait_watching(host)
    deb, before = copy_package(host), look(host, NAMES)
    host.slow_saves(6_000_000)
    run = host.popen(
        "guestctl shutdown --preserve", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_saving(host, NAMES)
    host.run(["dpkg", "--install", deb], timeout=200)
    said = run.communicate(timeout=120)[0].decode()
    wait_watching(host)
    rows = listed(host)
    assert {name: rows[name]["wanted"] for name in NAMES} == dict.fromkeys(NAMES, "on"), said
    # Whatever became of the command: asked again, all guests are safe.
    host.run("guestctl shutdown --preserve", timeout=120)
    assert {name: listed(host)[name]["saved"] for name in NAMES} == dict.fromkeys(NAMES, True), said
    host.run("guestctl start", timeout=120)
    for name in NAMES:
        assert went_on(host, name, before.ticks[name])
        assert lived_once(host, name)


def test_a_removal_in_the_middle_of_a_run_waits_for_it(new_host: NewHost, suite: str) -> None:
    host = new_host(suite)
    host.boot()
    host.start_all(GUESTS)
    wait_watching(host)
    host.slow_saves(2_000_000)
    run = host.popen(
        "guestctl shutdown --preserve", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_saving(host, NAMES)
    said = host.run(["dpkg", "--remove", "guestctl"], timeout=200).stdout
    assert "a run goes on, which a removal would cut off: waiting" in said
    run.communicate(timeout=60)
    assert set(host.virsh("list", "--all", "--with-managed-save", "--name").split()) == set(NAMES)
    assert_nothing_of_this_boot(host)


def assert_nothing_of_this_boot(host: Host) -> None:
    host.run("test ! -e /run/guestctl && test ! -e /run/guestctl-is-installed")
    assert host.run("systemctl list-units --no-legend 'guestctl*'").stdout.strip() == ""


def assert_stays_off(host: Host, said: str) -> None:
    """Installed, and libvirt-guests is left in charge."""
    assert "libvirt-guests.service is in charge of this host's guests, and stays so" in said
    assert "        guestctl takeover\n" in said
    assert (states(host), enabled(host)) == (OFF, ["disabled", "disabled"])
    assert state_of_rival(host) == ["active", "enabled"]


def on_disk(host: Host) -> set[str]:
    return set(host.run(NOT_OURS).stdout.splitlines())


def states(host: Host) -> list[str]:
    return host.run(["systemctl", "is-active", *UNITS], check=False).stdout.split()


def enabled(host: Host) -> list[str]:
    argv = ["systemctl", "is-enabled", "guestctl", "guestctl-autostart"]
    return host.run(argv, check=False).stdout.split()


def state_of_rival(host: Host) -> list[str]:
    command = f"systemctl is-active {RIVAL}; systemctl is-enabled {RIVAL}"
    return host.run(command, check=False).stdout.split()
