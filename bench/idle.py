"""What the service costs a host on which nothing happens: memory, wake-ups, processor time.

A host with its guests is rebooted, so that the service is one that has brought them back, and
is then left alone.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from tests.host.conftest import install
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

from .common import table, within
from .hosts import main_pid, wait_all_running

SUITE = "trixie"
#: After the last guest runs: the end of the restore, and of the connections that it used.
CALM_SECONDS = 90


class Cost(NamedTuple):
    """A process's use of the processor since its start."""

    voluntary: int
    involuntary: int
    nanoseconds: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--guests", type=int, default=12)
    parser.add_argument("--subscribed", action="store_true", help="measure with a subscriber, too")
    chosen = parser.parse_args()
    what = f"{chosen.guests} guests on {SUITE}"
    with Host(SUITE, "idle") as host:
        process = bring_up(host, [GuestSpec(f"guest-{n}") for n in range(chosen.guests)])
        measure(process, chosen.minutes, what)
        if chosen.subscribed:
            host.popen(["guestctl", "watch", "--json"], stdout=subprocess.DEVNULL)
            time.sleep(CALM_SECONDS)
            measure(process, chosen.minutes, f"{what}, one subscriber")


def bring_up(host: Host, specs: list[GuestSpec]) -> Path:
    """The service of a host that has just brought its guests back, in /proc."""
    install(host)
    own_programs(host)
    host.boot()
    host.start_all(specs)
    host.reboot()
    wait_all_running(host, [spec.name for spec in specs], 120)
    time.sleep(CALM_SECONDS)
    return host.path(f"/proc/{main_pid(host, 'guestctl')}")


def own_programs(host: Host) -> None:
    """Copies of what processes map, for this host alone.

    The files of the image are in memory once for all hosts on this machine, and what a service
    shares with those of other hosts would not be counted as its memory (PSS).
    """
    usr = host.root / "usr"
    for path in [*usr.glob("bin/python3*"), *usr.glob("lib/**/*.so*")]:
        if path.is_file() and not path.is_symlink():
            os.utime(path)


def measure(process: Path, minutes: float, what: str) -> None:
    """Look at the process before and after, and print."""
    before = cost(process)
    time.sleep(minutes * 60)
    after = cost(process)
    wakeups, forced, nanoseconds = (b - a for a, b in zip(before, after, strict=True))
    pss = memory(process, "Pss")
    alone = memory(process, "Private_Clean") + memory(process, "Private_Dirty")
    table(
        f"The service, idle for {minutes:g} minutes, {what}",
        [
            ("memory (PSS)", f"{pss:.1f} MiB", within(pss, 40, " MiB")),
            ("  of which no other process has", f"{alone:.1f} MiB", ""),
            ("  with all that is shared (RSS)", f"{memory(process, 'Rss'):.1f} MiB", ""),
            ("threads", f"{len(list((process / 'task').iterdir()))}", ""),
            ("wake-ups", f"{wakeups}", f"{wakeups / minutes:.1f} a minute"),
            ("  taken from the processor", f"{forced}", ""),
            ("processor time", f"{nanoseconds / 1e6:.0f} ms", f"{share(nanoseconds, minutes)}"),
        ],
    )


def share(nanoseconds: int, minutes: float) -> str:
    """Of one processor."""
    return f"{nanoseconds / (minutes * 60e9):.4%} of one processor"


def cost(process: Path) -> Cost:
    """Of all threads together."""
    found = [thread_cost(task) for task in (process / "task").iterdir()]
    return Cost(*map(sum, zip(*found, strict=True)))


def thread_cost(task: Path) -> Cost:
    """proc(5): status counts how often the thread waited, and how often it was made to."""
    status = (task / "status").read_text()
    waits = dict(re.findall(r"^(\w+)_ctxt_switches:\s+(\d+)$", status, re.MULTILINE))
    spent = int((task / "schedstat").read_text().split()[0])
    return Cost(int(waits["voluntary"]), int(waits["nonvoluntary"]), spent)


def memory(process: Path, what: str) -> float:
    """In MiB."""
    rollup = (process / "smaps_rollup").read_text()
    found = re.search(rf"^{what}:\s+(\d+) kB$", rollup, re.MULTILINE)
    assert found, rollup
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
