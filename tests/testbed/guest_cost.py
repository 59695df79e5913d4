"""What a tiny guest takes of this machine's processors: `python3 -m tests.testbed.guest_cost`."""

from __future__ import annotations

import os
import sys

from .console import read_ticks, wait_for_tick
from .guests import GuestSpec
from .processes import read_proc
from .session import SessionDaemon

GUESTS, TICKS = 5, 10


def main() -> None:
    """Print the seconds of each boot, up to the first tick, and of each tick after that."""
    with SessionDaemon() as daemon:
        for number in range(1, GUESTS + 1):
            spec = GuestSpec(f"guest {number}")
            daemon.start(spec)
            boot = used(daemon.qemu_pid(spec.name))
            log = daemon.console(spec.name)
            seen = len(read_ticks(log))
            wait_for_tick(log, seen + TICKS - 1)
            tick = (used(daemon.qemu_pid(spec.name)) - boot) / TICKS
            daemon.virsh("destroy", spec.id)
            sys.stdout.write(f"boot {boot:.2f} s  tick {tick * 1000:.0f} ms\n")


def used(pid: int) -> float:
    """Seconds of processor time of a process, of its user and of the kernel: proc(5)."""
    fields = read_proc(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
