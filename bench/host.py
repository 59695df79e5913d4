"""Hosts that go down and come up again: guestctl's beside those with what libvirt brings along.

Saves against libvirt's own auto-shutdown, shutdowns against libvirt-guests.  Each system has a
host of its own, one of them is on at a time, and all is measured from outside.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from tests.host.conftest import install
from tests.testbed.console import boots, lines, read_ticks, wait_for_tick
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host
from tests.testbed.waiting import wait_until

from .common import table, turns, within
from .hosts import QemuProcesses, wait_all_running

SUITE = "trixie"
DOOR = ("systemctl", "poweroff")
#: Between the last guest's sign of life and the shutdown.
CALM_SECONDS = 5
LONGEST_SECONDS = 900


def main() -> None:
    """Measure and print."""
    chosen = arguments()
    pairs = [pair for pair in PAIRS if chosen.only in ("", pair.step)]
    with ExitStack() as stack:
        benches = {}
        for pair in pairs:
            specs = guests(chosen.guests, chosen.dirty if pair.step == "save" else 0)
            for system in (pair.ours, pair.theirs):
                host = stack.enter_context(Host(SUITE, system.name))
                benches[system.name] = Bench(pair.step, host, system, specs)
            if chosen.no_bypass_cache:
                configure(benches[pair.ours.name].host, "bypass-cache = false")
        for bench in benches.values():
            bench.prime()
        for name in turns(chosen.rounds, list(benches)):
            benches[name].once()
    for pair in pairs:
        about = f"{chosen.guests} guests, median of {chosen.rounds} (least to most)"
        if pair.step == "save":
            about = f"{chosen.dirty} MiB dirtied in each of {about}"
        report(pair, benches[pair.ours.name], benches[pair.theirs.name], about)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.host", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--guests", type=int, default=12)
    parser.add_argument("--dirty", type=int, default=128, help="MiB in each guest to be saved")
    parser.add_argument("--no-bypass-cache", action="store_true", help="saves by the page cache")
    parser.add_argument("--only", choices=[pair.step for pair in PAIRS], default="")
    return parser.parse_args()


def guests(number: int, dirty: int) -> list[GuestSpec]:
    """The guests of a host."""
    return [GuestSpec(f"guest-{n}", dirty_mib=dirty) for n in range(number)]


# -- the systems ---------------------------------------------------------------------------------


def guestctl(host: Host) -> None:
    """The package as it is installed: saves."""
    install(host)


def guestctl_without_saves(host: Host) -> None:
    """The same with shutdowns."""
    install(host)
    configure(host, 'save = "none"')


def configure(host: Host, setting: str) -> None:
    """A line for guestctl's table of shutdowns."""
    folder = host.root / "etc/guestctl/conf.d"
    folder.mkdir(parents=True, exist_ok=True)
    name = setting.partition(" ")[0]
    (folder / f"{name}.toml").write_text(f"[shutdown]\n{setting}\n")


def auto_shutdown(host: Host) -> None:
    """libvirt's daemon saves; by its defaults it brings back what it saved.

    It has nothing but logind's delay for that, and what is not saved in these 5 s is lost.
    """
    configure_libvirt(host, 'auto_shutdown_try_save = "persistent"')
    delay = host.root / "etc/systemd/logind.conf.d/bench.conf"
    delay.parent.mkdir(exist_ok=True)
    delay.write_text("[Login]\nInhibitDelayMaxSec=15min\n")


def libvirt_guests(host: Host) -> None:
    """libvirt's script, as parallel as it can be."""
    settings = "ON_BOOT=start\nON_SHUTDOWN=shutdown\nPARALLEL_SHUTDOWN=100\n"
    (host.root / "etc/default/libvirt-guests").write_text(settings)
    host.run_on_disk(["systemctl", "enable", "libvirt-guests.service"])


def configure_libvirt(host: Host, settings: str) -> None:
    """Lines for libvirt's QEMU driver."""
    with (host.root / "etc/libvirt/qemu.conf").open("a") as file:
        file.write(f"\n{settings}\n")


@dataclass(frozen=True)
class System:
    """What takes care of a host's guests; it is put on the disk of a host that is off."""

    name: str
    put_on: Callable[[Host], None]


@dataclass(frozen=True)
class Pair:
    """Two systems that do the same."""

    step: str
    ours: System
    theirs: System
    aim: float


PAIRS = (
    Pair(
        "save",
        System("guestctl", guestctl),
        System("libvirt's auto-shutdown", auto_shutdown),
        0.5,
    ),
    Pair(
        "shutdown",
        System("guestctl, no saves", guestctl_without_saves),
        System("libvirt-guests", libvirt_guests),
        0.4,
    ),
)


# -- measuring -----------------------------------------------------------------------------------


@dataclass
class Bench:
    """A host with its system, and what was measured on it, in seconds."""

    step: str
    host: Host
    system: System
    specs: Sequence[GuestSpec]
    boots: list[float] = field(default_factory=list)
    shutdowns: list[float] = field(default_factory=list)
    #: How often a guest was ended, or began anew, although it should have been kept safe.
    lost: int = 0
    times_down: int = 0

    @property
    def names(self) -> list[str]:
        """The guests' names."""
        return [spec.name for spec in self.specs]

    @property
    def seen(self) -> dict[str, int]:
        """The number of each guest's signs of life."""
        return {name: len(read_ticks(self.host.console(name))) for name in self.names}

    def prime(self) -> None:
        """Bring the guests up for the first time, and down; neither is counted."""
        # With libvirt-guests the daemon that writes the consoles stops before the guests.
        configure_libvirt(self.host, 'stdio_handler = "file"\nremember_owner = 0')
        self.system.put_on(self.host)
        self.host.boot()
        before = self.seen
        for spec in self.specs:
            self.host.start(spec, wait=False)
        self.settle(before)
        self.down()

    def once(self) -> None:
        """Up and down, both counted."""
        before = self.seen
        self.boots.append(self.up())
        self.settle(before)
        self.shutdowns.append(self.down())
        up, down = self.boots[-1], self.shutdowns[-1]
        print(f"{self.system.name}: up {up:.1f} s, down {down:.1f} s", file=sys.stderr)

    def up(self) -> float:
        """From switching the host on until the last guest runs."""
        os.sync()  # what the host before this one wrote is not to be this one's burden
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            booting = pool.submit(self.host.boot)
            wait_until(lambda: has_leader(self.host), 60, "first process of the host")
            end = wait_all_running(self.host, self.names, LONGEST_SECONDS)
            booting.result()
        return end - begun

    def settle(self, before: dict[str, int]) -> None:
        """Wait until every guest has given a sign of life, and for the host to be calm."""
        for name, ticks in before.items():
            wait_for_tick(self.host.console(name), ticks, LONGEST_SECONDS)
        time.sleep(CALM_SECONDS)

    def down(self) -> float:
        """From the request until the last guest is down."""
        processes = QemuProcesses(self.host)
        assert len(processes) == len(self.specs), f"{len(processes)} guests run"
        os.sync()
        begun = time.monotonic()
        self.host.popen(DOOR)
        end = processes.wait_gone(LONGEST_SECONDS)
        self.host.wait_off()
        self.times_down += 1
        self.count_lost()
        return end - begun

    def count_lost(self) -> None:
        """By their consoles: a guest that is saved lives on, one that is shut down says so."""
        consoles = [self.host.console(name) for name in self.names]
        if self.step == "save":
            self.lost = sum(len(boots(console)) - 1 for console in consoles)
        else:
            self.lost = sum(self.times_down - lines(console).count("bye") for console in consoles)


def has_leader(host: Host) -> bool:
    """Whether the host has got as far as its first process."""
    try:
        return bool(host.leader)
    except RuntimeError:
        return False


# -- printing ------------------------------------------------------------------------------------


def report(pair: Pair, ours: Bench, theirs: Bench, about: str) -> None:
    """Both ways of a pair."""
    down = median(ours.shutdowns) / median(theirs.shutdowns)
    both = (ours, theirs)
    up = median(ours.boots) / median(theirs.boots)
    table(
        f"{pair.step}, {about}",
        [
            ("from the shutdown request to the last guest down", "", ""),
            *(row(bench.system.name, bench.shutdowns) for bench in both),
            ("  ratio of the medians", f"{down:.2f}", within(down, pair.aim)),
            ("from switching on to the last guest running", "", ""),
            *(row(bench.system.name, bench.boots) for bench in both),
            ("  ratio of the medians", f"{up:.2f}", ""),
            *((f"GUESTS LOST by {b.system.name}", f"{b.lost}", "") for b in both if b.lost),
        ],
    )


def row(name: str, seconds: Sequence[float]) -> tuple[str, str, str]:
    """The figures of one system."""
    return f"  {name}", f"{median(seconds):.1f} s", f"({min(seconds):.1f} to {max(seconds):.1f})"


if __name__ == "__main__":
    main()
