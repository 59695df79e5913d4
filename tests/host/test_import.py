"""libvirt-guests' settings are imported: the host goes down and comes up by them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.host.service import wait_watching
from tests.host.stage import FEW
from tests.host.support import boots_of, came_out, listed, look, runs, wait_restored
from tests.testbed.host import Host
from tests.testbed.triggers import POWEROFF, leave_by

pytestmark = pytest.mark.hosts

CAST = FEW
FILE, DROP_IN = "/etc/default/libvirt-guests", "etc/guestctl/conf.d/50-imported.toml"
SETTINGS = """
ON_SHUTDOWN=shutdown
SHUTDOWN_TIMEOUT=20
ON_BOOT=start   # Debian's default is ignore
START_DELAY=1
BYPASS_CACHE=1
"""
OBEDIENT = (*FEW.saved, "slow")
#: Seconds: what `ignores` has and `slow` takes; side by side it would be the longer of the two.
IN_TURN = 3 + 2


def test_the_host_goes_down_and_comes_up_by_what_was_imported(host: Host) -> None:
    settings = host.root / FILE.removeprefix("/")
    before = settings.read_text()
    assert_debians_defaults(host)
    settings.write_text(SETTINGS)
    host.run(f"guestctl import --libvirt-guests {FILE}")
    wait_watching(host)
    was = look(host, FEW.names)
    leave_by(host, POWEROFF, 240)
    host.boot()
    wait_restored(host)
    assert_one_after_another(host, was.at)
    rows = listed(host)
    assert {name: rows[name]["state"] for name in FEW.names} == dict.fromkeys(FEW.names, "running")
    assert {name: len(boots_of(host, name)) - was.boots[name] for name in OBEDIENT} == (
        dict.fromkeys(OBEDIENT, 1)
    )
    settings.write_text(before)
    (host.root / DROP_IN).unlink()
    host.run("guestctl reload")


def assert_debians_defaults(host: Host) -> None:
    """By the script of this host, whose file sets nothing."""
    said = json.loads(host.run(f"guestctl import --dry-run --json --libvirt-guests {FILE}").stdout)
    found = {(it["section"], it["key"]): it for it in said["settings"]}
    assert {key: found[key]["value"] for key in (("shutdown", "save"), ("boot", "restore"))} == {
        ("shutdown", "save"): "none",
        ("boot", "restore"): False,
    }
    assert found["shutdown", "parallel-shutdowns"]["value"] == 1
    script = "ON_BOOT=ignore (the default, /usr/lib/libvirt/libvirt-guests.sh:"
    assert found["boot", "restore"]["origins"][0].startswith(script)
    assert not (host.root / DROP_IN).exists()


def assert_one_after_another(host: Host, since: int) -> None:
    """And nobody is saved, nor has its plug pulled; the guard finds one that still runs."""
    found = came_out(host, "preserve", since)
    assert {name: found[name] for name in OBEDIENT} == dict.fromkeys(OBEDIENT, "shut-down")
    assert found["ignores"] == "failed"
    run = next(run for run in runs(host) if is_of_all(run))
    assert (run["ended"] - run["begun"]) / 1e9 > IN_TURN


def is_of_all(run: dict[str, Any]) -> bool:
    return bool(run["kind"] == "preserve" and run["guests"].keys() == set(FEW.names))
