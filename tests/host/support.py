"""What the tests on real hosts share: what guestctl says there, and what the consoles prove."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.testbed.console import Tick, boots, last_tick, read_ticks, wait_for_tick, was_resumed
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

#: Triggers of what a service does first in a boot.
BOOTS = ("boot", "switched-on")
#: With this in its environment a command reaches no bus, and so no service.
NO_BUS = "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent"


def in_process(*arguments: str) -> list[str]:
    """A command that does everything itself, though a service runs."""
    return ["env", NO_BUS, "guestctl", *arguments]


def newest_tick(host: Host, name: str) -> Tick:
    """The guest's newest sign of life."""
    tick = last_tick(host.console(name))
    assert tick is not None, f"{name} never ran"
    return tick


def newest_ticks(host: Host, names: Iterable[str]) -> dict[str, Tick]:
    """The same of several guests."""
    return {name: newest_tick(host, name) for name in names}


def all_lived_on(host: Host, before: Mapping[str, Tick]) -> bool:
    """Wait for the next tick of each guest; whether none of them missed one since."""
    return all(went_on(host, name, tick) for name, tick in before.items())


def went_on(host: Host, name: str, before: Tick) -> bool:
    """Wait for the guest's next tick; whether it is the one after `before`, of the same boot."""
    log = host.console(name)
    wait_for_tick(log, read_ticks(log).index(before) + 1)
    return was_resumed(log, before)


class Before(NamedTuple):
    """The guests as they were before the host went down."""

    at: int
    ticks: dict[str, Tick]
    boots: dict[str, int]


def look(host: Host, names: Iterable[str]) -> Before:
    """Note where the guests' lives have got to."""
    ticks = newest_ticks(host, names)
    return Before(time.time_ns(), ticks, {name: len(boots(host.console(name))) for name in ticks})


def assert_back(host: Host, before: Before, back: Mapping[str, str]) -> None:
    """Each guest goes on where it was, or was booted anew, as the restore says; and only once."""
    assert outcomes(host, "restore", before.at) == back
    for name, outcome in back.items():
        if outcome == "resumed":
            assert went_on(host, name, before.ticks[name])
        else:
            assert len(boots_of(host, name)) == before.boots[name] + 1
    assert all(lived_once(host, name) for name in back)


def image(host: Host, name: str) -> Path:
    """The guest's managed save."""
    return host.root / "var/lib/libvirt/qemu/save" / f"{name}.save"


def wait_saving(host: Host, names: Iterable[str], timeout: float = 60) -> None:
    """Wait until the save of each of these guests is under way."""

    def under_way(path: Path) -> bool:
        return path.exists() and path.stat().st_size > 0

    images = [image(host, name) for name in names]
    wait_until(lambda: all(map(under_way, images)), timeout, f"saves of {', '.join(names)}")


def boots_of(host: Host, name: str) -> list[str]:
    """The guest's boots, once a guest that runs has given its next sign of life."""
    log = host.console(name)
    if host.state(name) == "running":
        wait_for_tick(log, len(read_ticks(log)))
    return boots(log)


def lived_once(host: Host, name: str) -> bool:
    """Whether no moment of the guest's life came twice, as after two resumes from one save."""
    ticks = read_ticks(host.console(name))
    return len(set(ticks)) == len(ticks)


def began(host: Host, name: str) -> float:
    """When the guest's QEMU did, in seconds of the kernel's clock: starttime of proc(5)."""
    ticks = host.run(["cut", "-d ", "-f22", f"/proc/{host.qemu_pid(name)}/stat"]).stdout
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def listed(host: Host) -> dict[str, Any]:
    """The rows of `list`, by name."""
    rows = json.loads(host.run(["guestctl", "list", "--json"]).stdout)
    return {row["name"]: row for row in rows}


def runs(host: Host) -> list[dict[str, Any]]:
    """The runs of which the ledger knows, newest first; the guests of each by name."""
    found = json.loads(host.run(["guestctl", "history", "--json", "-n", "100"]).stdout)
    return [{**run, "guests": {guest["name"]: guest for guest in run["guests"]}} for run in found]


def newest_run(host: Host, **wanted: str) -> dict[str, Any]:
    """The newest run whose fields are as wanted; it has ended."""
    run = next(run for run in runs(host) if wanted.items() <= run.items())
    assert run["ended"] is not None
    return run


def outcomes(host: Host, kind: str, since: int) -> dict[str, str]:
    """How guests came out of the runs of that kind begun since (in nanoseconds), each of one."""
    found: dict[str, str] = {}
    for run in runs(host):
        if run["kind"] == kind and run["begun"] > since:
            assert run["ended"] is not None
            assert not found.keys() & run["guests"].keys(), "a guest is in two runs"
            found |= {name: guest["outcome"] for name, guest in run["guests"].items()}
    return found


def came_out(host: Host, kind: str, since: int) -> dict[str, str]:
    """The same where a run may have begun anew, by other settings: the newest outcome of each."""
    found: dict[str, str] = {}
    for run in runs(host):  # the newest first
        if run["kind"] == kind and run["begun"] > since:
            assert run["ended"] is not None
            found = {name: guest["outcome"] for name, guest in run["guests"].items()} | found
    return found


def wait_restored(host: Host, timeout: float = 120) -> None:
    """Wait until guestctl is through with bringing back the guests of this boot."""
    wait_until(lambda: _is_restored(host), timeout, f"end of the restore on {host.name}")


def _is_restored(host: Host) -> bool:
    newest = next((run for run in runs(host) if run["trigger"] in BOOTS), None)
    since = newest and newest["begun"] > host.up_since
    return bool(since and newest and newest["ended"])


def journal_since(host: Host, since: int, *options: str) -> str:
    """The host's journal from a moment on, in nanoseconds; options are journalctl's."""
    return host.journal(f"--since=@{since / 1e9:.6f}", *options)


def trail(host: Host, name: str) -> list[str]:
    """The reasons in a guest's trail."""
    entries = json.loads(host.run(["guestctl", "why", "--json", name]).stdout)
    return [reason for _, reason, _ in entries]
