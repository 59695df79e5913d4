"""libvirt's own auto-shutdown is on beside guestctl: its daemon takes guests down at the same time.

It pauses all of them first, marks them to be started once, and saves one after another.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.host.service import kill, wait_watching
from tests.host.stage import FEW
from tests.host.support import listed, lived_once, look, wait_restored, went_on
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by

pytestmark = pytest.mark.hosts

CAST = FEW
#: Of this boot: a service that is killed stays so.
KILLED = Path("/run/systemd/system/guestctl.service.d/test.conf")
SETTING = '\nauto_shutdown_try_save = "persistent"\n'


def test_guests_run_in_the_end_and_no_mark_is_left(host: Host, suite: str) -> None:
    """The second time it is switched off in the file, and the daemon not restarted."""
    if suite == "bookworm":
        pytest.skip("libvirt 9.0 has none")
    conf = host.root / "etc/libvirt/qemu.conf"
    before = conf.read_text()
    conf.write_text(before + SETTING)
    host.run("systemctl restart libvirtd")
    wait_watching(host)
    assert_all_run_after_poweroff(host)
    conf.write_text(before)
    assert_all_run_after_poweroff(host)


def test_the_guard_alone_has_them_run_again(host: Host, suite: str) -> None:
    """libvirt saves one after another, and has the others paused all the while."""
    if suite == "bookworm":
        pytest.skip("libvirt 9.0 has none")
    conf = host.root / "etc/libvirt/qemu.conf"
    before = conf.read_text()
    conf.write_text(before + SETTING)
    host.run("systemctl restart libvirtd")
    wait_watching(host)
    host.run(f"mkdir -p {KILLED.parent}; printf '[Service]\\nRestart=no\\n' > {KILLED}")
    host.run("systemctl daemon-reload")
    host.slow_saves(5_000_000)
    kill(host)
    assert_all_run_after_poweroff(host)
    conf.write_text(before)
    # The shared host's next test is to have a daemon that goes by that.
    host.run("systemctl restart libvirtd")
    wait_watching(host)


def assert_all_run_after_poweroff(host: Host) -> None:
    was = look(host, FEW.names)
    leave_by(host, POWEROFF, 240)
    host.slow_saves(0)
    host.boot()
    wait_restored(host)
    rows = listed(host)
    assert {name: rows[name]["state"] for name in FEW.names} == dict.fromkeys(FEW.names, "running")
    assert marked(host) == set()
    for name in FEW.saved:
        assert went_on(host, name, was.ticks[name])
        assert lived_once(host, name)


def marked(host: Host) -> set[str]:
    """Who libvirt is to start once at a boot."""
    ask = "print([d.name() for d in libvirt.open(None).listAllDomains() if d.autostartOnce()])"
    said = host.run(["python3", "-c", f"import libvirt; {ask}"]).stdout
    return set(ast.literal_eval(said))
