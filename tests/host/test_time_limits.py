"""A run takes as long as its steps may, and no longer, whatever hangs."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.host.service import configured, kill
from tests.host.stage import FEW
from tests.host.support import (
    assert_back,
    came_out,
    journal_since,
    look,
    outcomes,
    wait_restored,
)
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, TARGET, Trigger
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
#: Bytes a second, and the seconds that a save then takes at least: more than logind's 5 s and
#: the 30 s of TimeoutStopSec= together.
LEISURELY, LONG = 1_700_000, 40
FROZEN = CAST.saved[0]
IMPATIENT = f"""
[[guest]]
match = "{FROZEN}"
save-timeout = "5s"
shutdown-timeout = "5s"
"""


SPARED = "ignores"


def sparing(shutdown_timeout: str) -> str:
    """Configuration by which a guest that does not obey is left running."""
    return f'''
[[guest]]
match = "{SPARED}"
shutdown-timeout = "{shutdown_timeout}"
poweroff = "none"
'''


@pytest.mark.parametrize(
    "trigger", [POWEROFF.command, f"systemctl stop guestctl; {TARGET.command}"]
)
def test_longer_than_logind_and_systemd_wait(trigger: str, host: Host) -> None:
    """systemd gives the service the time that it asks for, and so it does the guard."""
    before = look(host, CAST.names)
    host.slow_saves(LEISURELY)
    assert host.poweroff(trigger, 180) > LONG
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == CAST.safe
    assert_back(host, before, CAST.back)


def test_qemu_frozen(host: Host) -> None:
    """Its plug is pulled in the end, and nobody else has to wait for it."""
    before = look(host, CAST.names)
    with configured(host, IMPATIENT):
        host.freeze(FROZEN)
        assert host.poweroff(POWEROFF.command, 240) < 180
    host.boot()
    wait_restored(host)
    assert outcomes(host, "preserve", before.at) == {**CAST.safe, FROZEN: "powered-off"}
    assert_back(host, before, {**CAST.back, FROZEN: "started"})


def test_what_does_not_obey_costs_its_limit_once(host: Host) -> None:
    """Not once more as units are stopped, and for the guard."""
    before = look(host, CAST.names)
    with configured(host, sparing("45s")):
        took = host.poweroff(POWEROFF.command, 180)
    assert 45 < took < 88
    host.boot()
    wait_restored(host)
    assert outcomes(host, "restore", before.at) == CAST.back


def test_within_binds_the_stop_that_follows(host: Host) -> None:
    """Who is still up by then gets what is left, and no more."""
    before = look(host, CAST.names)
    preserve = ["guestctl", "shutdown", "--preserve", "--within", "20s"]
    with configured(host, sparing("2min")):
        back = back_by_plan(host, "20s")
        begun = time.monotonic()
        assert host.run(preserve, check=False, timeout=60).returncode == 1
        host.poweroff(POWEROFF.command, 180)
        assert time.monotonic() - begun < 50
    host.boot()
    wait_restored(host)
    assert outcomes(host, "restore", before.at) == back


def back_by_plan(host: Host, within: str) -> dict[str, str]:
    """How each of them comes back: a save that once took long may not fit in."""
    planned = json.loads(host.run(["guestctl", "plan", "--json", "--within", within]).stdout)
    saved = {guest["name"]: guest["steps"][0]["step"] == "save" for guest in planned}
    return {name: "resumed" if saved[name] else "started" for name in CAST.back}


FORCED = 60
WHY = "systemd forces the host down after 1min (JobTimeoutSec= of poweroff.target): guests have 45s"


@contextlib.contextmanager
def forced(host: Host) -> Iterator[None]:
    """Meanwhile systemd forces a poweroff after a minute."""
    folder = host.root / "etc/systemd/system/poweroff.target.d"
    folder.mkdir()
    (folder / "test.conf").write_text(f"[Unit]\nJobTimeoutSec={FORCED}s\n")
    host.run(["systemctl", "daemon-reload"])
    try:
        yield
    finally:
        shutil.rmtree(folder)
        if host.is_on:
            host.run(["systemctl", "daemon-reload"])


@pytest.mark.parametrize("trigger", [POWEROFF, TARGET], ids=lambda it: it.command)
def test_a_host_that_systemd_forces_early(trigger: Trigger, host: Host) -> None:
    """Who cannot be saved by then is shut down; nobody is cut off.

    With systemd 252 the run begins anew for it, where logind announces the stop.
    """
    before = look(host, CAST.names)
    host.slow_saves(LEISURELY // 2)
    with forced(host):
        assert host.poweroff(trigger.command, 180) < FORCED
    host.boot()
    wait_restored(host)
    assert "Forcibly powering off" not in host.journal(f"--since=@{before.at // 10**9}")
    down = dict.fromkeys(CAST.saved, "shut-down")
    assert came_out(host, "preserve", before.at) == {**CAST.safe, **down}
    assert_back(host, before, dict.fromkeys(CAST.names, "started"))
    assert WHY in host.run(["guestctl", "why", CAST.saved[0]]).stdout


def test_nothing_answers(host: Host) -> None:
    """Past the deadlines of all steps nobody asks systemd for more time."""
    before = look(host, CAST.names)
    with configured(host, '[shutdown]\ndeadline = "30s"\n'):
        for name in CAST.names:
            host.freeze(name)
        host.popen(TARGET.command)
        wait_until(lambda: " begins (host-stop)" in journal_since(host, before.at), 60, "the run")
        kill(host, "libvirtd", "STOP")
        host.wait_off(240)
    host.boot()
    wait_restored(host)
    assert_back(host, before, dict.fromkeys(CAST.names, "started"))
