"""The doctor's checks of libvirt's daemons, and what is read of them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Boot, Shutdown
from guestctl.decisions import checks_libvirt
from guestctl.decisions.doctor import examine
from guestctl.decisions.host_state import HostState
from guestctl.host.libvirt import processes, versions
from guestctl.model.finding import Finding
from guestctl.model.host_details import Daemon, HostDetails, HostRunning, Running, SetTo
from guestctl.model.host_state import NotKnown
from tests.unit.healthy import facts, healthy
from tests.unit.makers import URI

UNIT, FILE = "libvirtd.service", "/etc/libvirt/libvirtd.conf"
NEW = {URI: (12, 8, 0)}


def host(config: Config | None = None, /, **settings: int) -> HostState:
    """One whose libvirtd.conf sets these, each on line 7."""
    given = {key: SetTo(value, FILE, 7) for key, value in settings.items()}
    details = HostDetails((Daemon(UNIT, FILE, given),))
    return healthy(facts=replace(facts(), config=config or Config()), details=details)


def found(state: HostState) -> list[Finding]:
    return examine(state, checks=checks_libvirt.CHECKS)


def test_the_defaults_are_enough() -> None:
    assert found(host()) == []
    assert found(host(max_workers=20, max_client_requests=5, prio_workers=1)) == []


@pytest.mark.parametrize(
    ("settings", "least"),
    [
        ({"max_workers": 19}, 20),
        ({"prio_workers": 0}, 1),
        ({"max_client_requests": 4}, 5),
        ({"max_clients": 20}, 42),
    ],
)
def test_a_limit_that_is_too_low(settings: dict[str, int], least: int) -> None:
    ((key, value),) = settings.items()
    (finding,) = found(host(**settings))
    assert finding.check == "libvirtd-limits"
    assert finding.text.startswith(f"{UNIT} has {key} = {value}, and at least {least} are needed: ")
    assert finding.evidence == (f"{FILE}:7: {key} = {value}",)
    assert finding.command == f"sed -i '7s/.*/{key} = {least}/' {FILE} && systemctl restart {UNIT}"


def test_workers_go_by_parallel() -> None:
    few = Config(shutdown=Shutdown(parallel=2), boot=Boot(parallel=3))
    assert found(host(few, max_workers=7)) == []
    (finding,) = found(host(few, max_workers=6))
    assert "at least 7" in finding.text


def test_keepalive_that_is_too_quick() -> None:
    assert found(host(keepalive_interval=-1)) == []
    assert found(host(keepalive_interval=2)) == []
    (finding,) = found(host(keepalive_interval=2, keepalive_count=1))
    assert finding.text.startswith(f"{UNIT} drops a client that does not answer for 4 s")
    assert finding.command.startswith(f"sed -i '/^ *keepalive_/s/^/#/' {FILE}")


def test_a_file_that_cannot_be_read_is_no_pass() -> None:
    secret = NotKnown(FILE, "permission denied", refused=True)
    state = healthy(details=HostDetails((Daemon(UNIT, FILE, secret),)))
    assert [it.check for it in found(state)] == ["not-known"]


@pytest.mark.parametrize(
    ("format_", "servers", "is_found"),
    [("lzop", NEW, True), ("raw", NEW, False), ("lzop", {URI: (11, 3, 0)}, False)],
)
def test_compressed_saves(format_: str, servers: Any, is_found: bool) -> None:
    qemu = {"save_image_format": SetTo(format_, "/etc/libvirt/qemu.conf", 3)}
    state = healthy(details=HostDetails(qemu=qemu), running=HostRunning(servers=servers))
    names = [it.check for it in found(state)]
    assert names == (["compressed-saves"] if is_found else [])


def test_a_daemon_that_is_older_than_its_files() -> None:
    daemons = (Running(UNIT, 1.0), Running("virtqemud.service", 1.0, ("/usr/sbin/virtqemud",)))
    (finding,) = found(healthy(running=HostRunning(daemons)))
    assert finding.command == "systemctl restart virtqemud.service"
    assert finding.text.endswith("/usr/sbin/virtqemud")


def test_versions() -> None:
    assert found(healthy(running=HostRunning(client=(12, 8, 0), servers=NEW))) == []
    (finding,) = found(healthy(running=HostRunning(client=(12, 9, 0), servers=NEW)))
    assert finding.check == "versions-differ"
    assert "is libvirt 12.8.0" in finding.text
    old = HostRunning(systemd=(249,), python=(3, 10, 2), servers={URI: (8, 0, 0)})
    assert [it.text.split(" is ")[0] for it in found(healthy(running=old))] == [
        "libvirt 8.0.0",
        "systemd 249",
        "Python 3.10.2",
    ]


# What is read

PID = 4711
TICKS = os.sysconf("SC_CLK_TCK")


def test_a_daemon_by_its_process(tmp_path: Path) -> None:
    daemon = processes.QEMU[0]
    assert list(processes.running(tmp_path)) == []
    assert processes.began(daemon, tmp_path) is None
    for folder in ("run", f"proc/{PID}", "usr/sbin", "etc/libvirt"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / daemon.pid_file).write_text(f"{PID}\n")
    booted = int(time.time()) - 1000
    (tmp_path / "proc/stat").write_text(f"btime {booted}\n")
    fields = " ".join(["S", *["1"] * 18, str(100 * TICKS), "0"])
    (tmp_path / f"proc/{PID}/stat").write_text(f"{PID} (lib) virtd) {fields}\n")
    assert list(processes.running(tmp_path)) == [daemon]
    began = processes.began(daemon, tmp_path)
    assert began == booted + 100
    assert processes.newer(daemon, began, tmp_path) == ()
    (tmp_path / daemon.conf).touch()
    assert processes.newer(daemon, began, tmp_path) == ("/etc/libvirt/libvirtd.conf",)


def test_versions_as_libvirt_writes_them() -> None:
    assert versions._version(12_008_003) == (12, 8, 3)
    assert versions.client() >= (9, 0, 0)
