"""What the doctor finds of libvirt's daemons and of files for others: each provoked on a real host,
and gone after what it says was done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestctl.decisions.checks_installed import TO_SYNCHRONISE
from guestctl.host import clock
from tests.host import doctor
from tests.host.conftest import copy_package
from tests.host.doctor import checks, gone_after_its_command
from tests.host.service import UNIT, wait_watching
from tests.host.stage import FEW
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW
LIBVIRTD, QEMU = "/etc/libvirt/libvirtd.conf", "/etc/libvirt/qemu.conf"


@contextlib.contextmanager
def kept(host: Host, file: str) -> Iterator[Path]:
    """The file is afterwards what it was before."""
    path = host.root / file.lstrip("/")
    before = path.read_bytes()
    try:
        yield path
    finally:
        if path.read_bytes() != before:
            path.write_bytes(before)
        host.run("systemctl restart libvirtd")
        wait_watching(host)


# libvirt's daemon


LOW = ["max_workers = 10", "prio_workers = 0", "max_client_requests = 2", "max_clients = 20"]
QUICK = ["keepalive_interval = 1", "keepalive_count = 1"]


def test_limits_that_are_too_low(host: Host) -> None:
    with kept(host, LIBVIRTD) as file:
        file.write_text("\n".join([file.read_text(), *LOW, *QUICK, ""]))
        found = [it for it in doctor.findings(host) if it["check"] == "libvirtd-limits"]
        assert len(found) == len(LOW) + 1
        for finding in found:
            host.run("systemctl reset-failed libvirtd")
            doctor.do(host, finding)
        assert "libvirtd-limits" not in checks(host)
        assert [line for line in file.read_text().splitlines() if "max_workers" in line][-1] == (
            "max_workers = 20"
        )


def test_compressed_saves(host: Host, suite: str) -> None:
    with kept(host, QEMU) as file:
        file.write_text(f'{file.read_text()}\nsave_image_format = "lzop"\n')
        if suite == "forky":
            gone_after_its_command(host, "compressed-saves")
        else:
            assert "compressed-saves" not in checks(host)


def test_a_daemon_that_is_older_than_its_files(host: Host) -> None:
    files = ["/usr/sbin/libvirtd", LIBVIRTD]
    for file in files:
        host.run(f"cp --preserve {file} {file}.new && mv {file}.new {file}")
    found = doctor.found(host, "daemon-outdated")
    assert found["problem"].endswith(f": {', '.join(files)}")
    gone_after_its_command(host, "daemon-outdated")
    wait_watching(host)


# Files for others, and what is behind them


@pytest.mark.parametrize(
    ("check", "file"),
    [
        ("bus-policy", "/usr/share/dbus-1/system.d/org.guestctl1.conf"),
        ("polkit-actions", "/usr/share/polkit-1/actions/org.guestctl1.policy"),
        ("hook", "/etc/libvirt/hooks/qemu.d/guestctl"),
    ],
)
def test_a_file_that_is_missing(host: Host, check: str, file: str) -> None:
    """A reinstallation puts it back: dpkg's own here, since there is nowhere to get packages."""
    host.run(["mv", file, "/var/tmp/away"])
    found = doctor.found(host, check)
    assert file in found["evidence"][0]
    assert found["command"].startswith("apt-get install --reinstall ")
    host.run(["dpkg", "--force-confmiss", "--install", copy_package(host)])
    wait_watching(host)
    assert check not in checks(host)


def test_a_service_that_may_not_take_its_name(host: Host) -> None:
    file = "/usr/share/dbus-1/system.d/org.guestctl1.conf"
    host.run(f"mv {file} /var/tmp/away && systemctl reload dbus && systemctl restart {UNIT}")
    wait_watching(host)
    try:
        assert checks(host) >= {"off-the-bus", "bus-policy"}
    finally:
        host.run(f"mv /var/tmp/away {file} && systemctl reload dbus && systemctl restart {UNIT}")
        wait_watching(host)
    assert not checks(host) & {"off-the-bus", "bus-policy"}


def test_a_hook_that_is_no_program_and_one_that_is_not_called(host: Host) -> None:
    host.run("chmod 644 /etc/libvirt/hooks/qemu.d/guestctl")
    gone_after_its_command(host, "hook")
    # By now it is newer than the daemon.
    assert doctor.found(host, "hook-unread")["severity"] == "note"
    gone_after_its_command(host, "hook-unread")
    wait_watching(host)


def test_local_time(host: Host) -> None:
    host.run(r"printf '0.0 0 0.0\n0\nLOCAL\n' > /etc/adjtime")
    assert doctor.found(host, "local-time")["severity"] == "note"
    host.run("rm /etc/adjtime")
    assert "local-time" not in checks(host)


def test_a_clock_that_nobody_sets(host: Host) -> None:
    """This machine's, since the host is a container, which it is kept from knowing."""
    ours, mark = clock.look(Path("/nonexistent")), "/run/systemd/container"
    assert "clock" not in checks(host)
    host.run(f"mv {mark} {mark}.away")
    try:
        is_wrong = ours.is_synchronised is False and ours.up > TO_SYNCHRONISE
        assert ("clock" in checks(host)) == is_wrong
    finally:
        host.run(f"mv {mark}.away {mark}")
