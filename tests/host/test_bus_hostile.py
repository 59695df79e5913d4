"""Bad calls by the thousand, of root and of users, and floods: nothing comes of them."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

import pytest

from tests.host import flood_bus, fuzz_bus
from tests.host.on_bus import NAME, is_owned
from tests.host.service import main_pid, wait_watching
from tests.host.stage import FEW
from tests.host.support import all_lived_on, journal_since, listed, look, runs
from tests.host.users import end, give, honest_call, let_loose, program, run_as
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.hosts

CAST = FEW
STANDARD = "org.freedesktop.DBus.Error."
CALLS, SEEDS = 500, (1, 2)
FLOOD = 10
#: MiB of its own that the second round may add to what the first left; the most of the service.
MEMORY, MOST = 3.0, 80.0
#: Descriptors that are left when the connections of readers have been closed, after a minute.
DESCRIPTORS, CLOSED = 5, 100
#: Seconds for an honest call beside a flood, on two processors that it shares with that.
HONEST = 20


class Use(NamedTuple):
    """Of a process: descriptors that are open, MiB of memory: its share of all, and its own.

    How much of a file's pages is its share depends on who else has that open, on any host.
    """

    descriptors: int
    memory: float
    own: float


def use(host: Host, pid: int) -> Use:
    """What it has now."""
    opened = host.run(["ls", f"/proc/{pid}/fd"]).stdout.split()
    lines = host.run(["grep", "^Pss", f"/proc/{pid}/smaps_rollup"]).stdout.splitlines()
    kib = {name: int(size) for name, size, _ in map(str.split, lines)}
    return Use(len(opened), kib["Pss:"] / 1024, kib["Pss_Anon:"] / 1024)


def test_a_thousand_bad_calls_and_a_flood(host: Host) -> None:
    """Twice, so that what is left behind is seen to grow."""
    before, service = look(host, CAST.names), main_pid(host)
    rows, newest = listed(host), runs(host)[0]
    give(host)
    used = [use(host, service)]
    for seed in SEEDS:
        for user in (0, None):
            assert_refused(fuzz(host, user, seed))
        flood(host)
        used.append(use(host, service))
    print(used)
    assert main_pid(host) == service
    assert is_owned(host)
    assert listed(host) == rows
    assert runs(host)[0] == newest, "somebody had a run begun"
    assert all_lived_on(host, before.ticks)
    assert "Traceback" not in journal_since(host, before.at)
    assert used[2].own <= used[1].own + MEMORY
    assert used[2].memory < MOST
    wait_watching(host)
    few = used[0].descriptors + DESCRIPTORS
    wait_until(lambda: use(host, service).descriptors <= few, CLOSED, "end of connections")


def fuzz(host: Host, user: int | None, seed: int) -> dict[str, Any]:
    """What came of the calls; an honest one is answered after them."""
    said = run_as(host, user, program(fuzz_bus, CALLS, seed))
    print(said.stdout, said.stderr)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def assert_refused(found: dict[str, Any]) -> None:
    """Each was answered, soon, by an error of a name that is known, unless it only reads."""
    came = found["came"]
    assert sum(came.values()) == CALLS
    assert not {fuzz_bus.SILENT, fuzz_bus.ACTED} & came.keys()
    assert found["slowest"] < 10
    known = (STANDARD, f"{NAME}.Error.")
    others = set(came) - {fuzz_bus.RETURNED, fuzz_bus.THROWN_OUT}
    assert all(name.startswith(known) for name in others)
    assert f"{STANDARD}Failed" not in came


def flood(host: Host) -> None:
    """Meanwhile honest calls are answered."""
    let_loose(host, flood_bus)
    until = time.monotonic() + FLOOD
    slowest = 0.0
    while time.monotonic() < until:
        found, took = honest_call(host, HONEST)
        assert found == set(CAST.names)
        slowest = max(slowest, took)
    end(host)
    print(f"the slowest honest call took {slowest:.1f} s")
