"""What the doctor finds of files not read, of guests' metadata, and of KVM: each provoked on a real
host, and gone after what it says was done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from guestctl.host.libvirt.policy_xml import NAMESPACE
from tests.host import doctor
from tests.host.doctor import checks, comes, written
from tests.host.service import kill, wait_watching
from tests.host.stage import FEW
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = FEW


def test_files_that_the_service_has_not_read(host: Host) -> None:
    with stopped_for_a_moment(host), written(host, '[shutdown]\ndeadline = "20min"\n'):
        found = doctor.found(host, "config-not-loaded")
        assert (found["severity"], found["command"]) == ("warning", "guestctl reload")
        kill(host, signal="CONT")
        doctor.do(host, found)
        assert "config-not-loaded" not in checks(host)


@contextlib.contextmanager
def stopped_for_a_moment(host: Host) -> Iterator[None]:
    """The service takes no file up by itself until it goes on."""
    kill(host, signal="STOP")
    try:
        yield
    finally:
        kill(host, signal="CONT")


def test_a_mistake_in_metadata(host: Host) -> None:
    with comes(host, GuestSpec("mistaken")):
        policy = ["--key", "guestctl", "--set", '<policy save="sometimes"/>', "--config"]
        host.virsh("metadata", "mistaken", NAMESPACE, *policy)
        found = doctor.found(host, "metadata-mistakes")
        assert (found["severity"], found["guest"]["name"]) == ("warning", "mistaken")
        assert "sometimes" in host.run(["sh", "-c", found["command"]], check=False).stderr
        host.run(f"{found['command']} --set save=none")
        assert "metadata-mistakes" not in checks(host)


def test_a_guest_that_can_run_with_kvm_alone(host: Host) -> None:
    """libvirt takes no such definition where there is no KVM, but for one that it has already."""
    with comes(host, GuestSpec("fast")):
        file = "/etc/libvirt/qemu/fast.xml"
        host.run(f"sed -i \"s/<domain type='qemu'/<domain type='kvm'/\" {file}")
        host.run("systemctl restart libvirtd")
        wait_watching(host)
        found = doctor.found(host, "cannot-run")
        assert found["problem"] == "cannot be started: this host cannot run it with KVM"
        host.define(GuestSpec("fast"))
        assert "cannot-run" not in checks(host)
