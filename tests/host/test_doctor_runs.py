"""What the doctor finds of guests that are not as they are wanted, and of past runs: each provoked
on a real host, and gone after what it says was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestctl.host.hooks import HOOK
from tests.host import doctor
from tests.host.doctor import checks, comes, gone_after_its_command, written
from tests.host.service import wait_watching
from tests.host.stage import FEW
from tests.host.support import wait_restored
from tests.testbed.guests import AGENT_CHANNEL, GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
ONE = CAST.saved[0]
IMAGES = Path("/var/lib/libvirt/images")
DISK = IMAGES / "wanted.raw"
#: There is nobody at its other end.
CHANNEL = f"<channel type='unix'><target type='virtio' name='{AGENT_CHANNEL}'/></channel>"


def settings(match: str, *lines: str) -> str:
    """A [[guest]] table."""
    return "\n".join(["[[guest]]", f'match = "{match}"', *lines, ""])


def wait_found(host: Host, check: str) -> None:
    """Wait until it finds something."""
    wait_until(lambda: check in checks(host), 30, check)


def wait_over(host: Host, check: str) -> None:
    """Wait until it finds nothing any more: the service looks at unready guests once a minute."""
    wait_until(lambda: check not in checks(host), 100, f"{check} is over")


# Guests that are not up, or not ready


def test_a_guest_that_is_waited_for_and_one_that_is_given_up(host: Host) -> None:
    """Their disks are away as the host boots, and are there again."""
    specs = [GuestSpec(name, disk=IMAGES / f"{name}.raw") for name in ("late", "lost")]
    late = settings("late", 'save = "none"', 'start-retry = "10min"')
    lost = settings("lost", 'save = "none"', 'start-retry = "1s"')
    with comes(host, specs[0]), comes(host, specs[1]), written(host, late + lost):
        host.run(["truncate", "--size=1M", *(str(spec.disk) for spec in specs)])
        host.run("guestctl reload; guestctl start late lost", timeout=120)
        for spec in specs:
            host.run(f"mv {spec.disk} {spec.disk}.away")
        host.reboot()
        wait_restored(host)
        for name, check, severity in (
            ("lost", "given-up", "error"),
            ("late", "waited-for", "warning"),
        ):
            wait_found(host, check)
            finding = doctor.found(host, check)
            assert (finding["severity"], finding["guest"]["name"]) == (severity, name)
            host.run(f"mv {IMAGES}/{name}.raw.away {IMAGES}/{name}.raw")
            # The service may be at it already, and have the run lock for a moment.
            wait_until(lambda: ends_well(host, finding["command"]), 60, finding["command"])  # noqa: B023
            wait_watching(host)
            assert check not in checks(host)
            assert host.state(name) == "running"
    host.run(["rm", *(str(spec.disk) for spec in specs)])


def ends_well(host: Host, command: str) -> bool:
    return host.run(command, check=False).returncode == 0


def test_a_guest_that_is_unready(host: Host) -> None:
    waits = settings("mute", 'save = "none"', 'ready = ["agent"]', 'ready-timeout = "2s"')
    with comes(host, GuestSpec("mute")), written(host, waits):
        host.run(f'guestctl reload; echo "{CHANNEL}" > /run/channel.xml')
        host.virsh("attach-device", "mute", "/run/channel.xml", "--config")
        host.run("guestctl start mute", check=False)
        assert "mute" in silent(host)
        found = doctor.found(host, "unready")
        assert (found["severity"], found["guest"]["name"]) == ("warning", "mute")
        assert "agent" in host.run(["sh", "-c", found["command"]]).stdout
        host.virsh("destroy", "mute")
        host.define(GuestSpec("mute", agent=True))
        host.run("guestctl start mute", check=False)
        host.wait_for_agent("mute")
        wait_over(host, "unready")
        assert "mute" not in silent(host)


def silent(host: Host) -> str:
    """What is noted of guests whose agent would be asked first; some have none at all."""
    found = doctor.found(host, "agent-silent")
    assert found["severity"] == "note"
    return str(found["problem"])


def test_a_guest_that_is_wanted_and_not_there(host: Host) -> None:
    host.start(GuestSpec("vanished"))
    host.run(["guestctl", "shutdown", "--preserve", "vanished"])
    host.run("rm /etc/libvirt/qemu/vanished.xml; systemctl restart libvirtd")
    wait_watching(host)
    found = doctor.found(host, "not-listed")
    assert (found["severity"], found["guest"]["name"]) == ("warning", "vanished")
    gone_after_its_command(host, "not-listed")


# Runs, and what is held


def test_a_run_that_went_wrong(host: Host) -> None:
    never = settings(ONE, 'save-timeout = "1s"', 'shutdown = "none"', 'poweroff = "none"')
    preserve = ["guestctl", "shutdown", "--preserve", ONE]
    with written(host, never):
        host.run("guestctl reload")
        host.slow_saves(10**6)
        assert host.run(preserve, check=False).returncode == 1
        host.slow_saves(0)
    found = doctor.found(host, "last-runs")
    assert (found["severity"], found["guest"]["name"]) == ("warning", ONE)
    assert "save" in host.run(["sh", "-c", found["command"]]).stdout
    host.run(preserve)
    assert "last-runs" not in checks(host)
    host.run(["guestctl", "start", ONE])


def test_a_stale_save_that_libvirt_would_resume(host: Host) -> None:
    host.run(["truncate", "--size=1M", str(DISK)])
    with comes(host, GuestSpec("stale", disk=DISK)):
        host.start_again("stale")
        host.run(["guestctl", "shutdown", "--preserve", "stale"])
        host.run(["truncate", "--size=2M", str(DISK)])
        assert host.run(["guestctl", "start", "stale"], check=False).returncode == 1
        host.run(["chmod", "755", HOOK])  # by now it is newer than the daemon
        found = doctor.found(host, "hook-not-called")
        assert (found["severity"], found["command"]) == (
            "error",
            "systemctl restart libvirtd.service",
        )
        gone_after_its_command(host, "hook-not-called")
        wait_watching(host)
        assert host.run("virsh start stale", check=False).returncode == 1
        why = host.run(["sh", "-c", doctor.found(host, "held")["command"]]).stdout
        assert "--discard-save" in why
        host.run("guestctl start --discard-save stale")
        assert "held" not in checks(host)
    host.run(["rm", str(DISK)])
